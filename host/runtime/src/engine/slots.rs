//! Who may run an instance now. The pool is finite: a tenant has its share of it, and of those who wait, the one that
//! holds least is next.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::ids::TenantId;

/// The pool's slots. Clones share them.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Mutex<State>>);

struct State {
    free: u32,
    /// The most that one tenant holds.
    share: u32,
    tenants: HashMap<TenantId, Tenant>,
    /// Counts up with each slot given.
    turns: u64,
}

#[derive(Default)]
struct Tenant {
    held: u32,
    waiting: VecDeque<oneshot::Sender<Slot>>,
    /// When it was last given one.
    turn: u64,
}

/// The right to one instance, given back when dropped.
pub(crate) struct Slot {
    slots: Slots,
    tenant: TenantId,
}

impl Slots {
    pub(crate) fn new(all: u32, share: u32) -> Self {
        let state = State { free: all, share: share.clamp(1, all.max(1)), tenants: HashMap::new(), turns: 0 };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Waits for a slot.
    pub(crate) async fn take(&self, tenant: &TenantId) -> Slot {
        loop {
            let (give, given) = oneshot::channel();
            self.0.lock().tenants.entry(tenant.clone()).or_default().waiting.push_back(give);
            self.hand_out();
            // Its sender is only dropped with the pool; then nobody is left to wait in it.
            if let Ok(slot) = given.await {
                return slot;
            }
        }
    }

    fn hand_out(&self) {
        // A slot for somebody who has gone comes back here, outside the lock: giving it back takes the lock.
        let mut refused = Vec::new();
        let mut state = self.0.lock();
        while let Some((tenant, waiter)) = state.next() {
            if let Err(slot) = waiter.send(Slot { slots: self.clone(), tenant }) {
                refused.push(slot);
            }
        }
        drop(state);
    }
}

impl State {
    /// Takes a slot for whoever is next.
    fn next(&mut self) -> Option<(TenantId, oneshot::Sender<Slot>)> {
        if self.free == 0 {
            return None;
        }
        let share = self.share;
        let eligible = self.tenants.iter_mut().filter(|(_, one)| one.held < share && !one.waiting.is_empty());
        let (id, tenant) = eligible.min_by_key(|(_, one)| (one.held, one.turn))?;
        let waiter = tenant.waiting.pop_front()?;
        self.free -= 1;
        self.turns += 1;
        (tenant.held, tenant.turn) = (tenant.held + 1, self.turns);
        Some((id.clone(), waiter))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.0.lock();
        state.free += 1;
        if let Some(tenant) = state.tenants.get_mut(&self.tenant) {
            tenant.held -= 1;
            if tenant.held == 0 && tenant.waiting.is_empty() {
                state.tenants.remove(&self.tenant);
            }
        }
        drop(state);
        self.slots.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name)
    }

    /// Waiters in the order in which they asked, each polled once.
    async fn queue(slots: &Slots, names: &[&str]) -> Vec<tokio::task::JoinHandle<(String, Slot)>> {
        let mut waiting = Vec::new();
        for name in names {
            let (slots, name) = (slots.clone(), (*name).to_owned());
            waiting.push(tokio::spawn(async move {
                let slot = slots.take(&tenant(&name)).await;
                (name, slot)
            }));
            tokio::task::yield_now().await;
        }
        waiting
    }

    #[tokio::test]
    async fn of_those_who_wait_the_one_that_holds_least_is_next() {
        let slots = Slots::new(2, 2);
        let (first, second) = (slots.take(&tenant("busy")).await, slots.take(&tenant("busy")).await);
        let mut waiting = queue(&slots, &["busy", "busy", "calm"]).await;
        drop(first);
        let (name, calm) = waiting.pop().expect("three").await.expect("it runs");
        assert_eq!(name, "calm");
        assert!(!waiting[0].is_finished());
        drop((second, calm));
        for one in waiting {
            drop(one.await.expect("it runs"));
        }
    }

    #[tokio::test]
    async fn nobody_has_more_than_their_share() {
        let slots = Slots::new(3, 2);
        let held = (slots.take(&tenant("busy")).await, slots.take(&tenant("busy")).await);
        let waiting = queue(&slots, &["busy"]).await;
        drop(slots.take(&tenant("calm")).await);
        assert!(!waiting[0].is_finished());
        drop(held);
    }

    #[tokio::test]
    async fn a_slot_for_somebody_who_has_gone_goes_to_the_next() {
        let slots = Slots::new(1, 1);
        let held = slots.take(&tenant("a")).await;
        let waiting = queue(&slots, &["b", "c"]).await;
        waiting[0].abort();
        tokio::task::yield_now().await;
        drop(held);
        for (one, gone) in waiting.into_iter().zip([true, false]) {
            assert_eq!(one.await.is_err(), gone);
        }
        assert_eq!(slots.0.lock().free, 1);
        assert!(slots.0.lock().tenants.is_empty());
    }
}
