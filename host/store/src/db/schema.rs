//! Formats of the database, and the way from each to the next.

use rusqlite::{Connection, TransactionBehavior};
use sallyport::ports::StoreError;

use super::fail::Outcome;
use crate::audit;

type Step = (&'static str, fn(&Connection) -> Outcome<()>);

/// What leads from format `i` to format `i + 1`: statements, then what SQL cannot say. Only ever added to.
const STEPS: [Step; 5] = [
    (include_str!("1.sql"), |_| Ok(())),
    (include_str!("2.sql"), |_| Ok(())),
    (include_str!("3.sql"), |_| Ok(())),
    (include_str!("4.sql"), audit::begin),
    (include_str!("5.sql"), |_| Ok(())),
];

/// "SLLY": tells our files from other SQLite databases.
const APPLICATION: i32 = 0x534c_4c59;

/// Creates the tables, or brings older ones to this version's format. Two processes may do it at once.
pub(super) fn bring_up_to_date(db: &mut Connection) -> Outcome<()> {
    let known = STEPS.len() as u32;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { found, known }.into());
    }
    if found == known {
        return Ok(());
    }
    for (statements, rest) in &STEPS[found as usize..] {
        tx.execute_batch(statements)?;
        rest(&tx)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", known)?;
    tx.commit()?;
    Ok(())
}
