//! Trello's state: ids, positions, access, and every mutation with its action.

use super::model::{Action, Board, Card, Label, List, Member, MemberType, Membership, Organization, Visibility};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Distance between neighbours, and position of the first: what new lists and cards got in recordings.
const STEP: f64 = 65536.0;
const FIRST: f64 = 65535.0;
const LABEL_COLORS: [&str; 6] = ["green", "yellow", "orange", "red", "purple", "blue"];

/// All of Trello.
#[derive(Debug, Default)]
pub(crate) struct TrelloState {
    pub members: BTreeMap<String, Member>,
    pub organizations: BTreeMap<String, Organization>,
    pub boards: BTreeMap<String, Board>,
    pub lists: BTreeMap<String, List>,
    pub cards: BTreeMap<String, Card>,
    pub actions: Vec<Action>,
    counter: u32,
}

/// What a new board is made of.
#[derive(Debug, Clone)]
pub(crate) struct NewBoard<'a> {
    pub name: &'a str,
    pub desc: &'a str,
    pub organization: Option<String>,
    pub visibility: Visibility,
    pub creator: &'a str,
    pub default_lists: bool,
    pub default_labels: bool,
}

/// Where among its siblings something goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Top,
    Bottom,
    At(f64),
}

impl Place {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "top" => Some(Self::Top),
            "bottom" => Some(Self::Bottom),
            number => number.parse::<f64>().ok().filter(|at| at.is_finite() && *at > 0.0).map(Self::At),
        }
    }

    fn among(self, siblings: impl Iterator<Item = f64>) -> f64 {
        let (first, last) = siblings.fold((f64::MAX, 0.0_f64), |(first, last), pos| (first.min(pos), last.max(pos)));
        match self {
            Self::At(at) => at,
            _ if last == 0.0 => FIRST,
            Self::Top => first / 2.0,
            Self::Bottom => last + STEP,
        }
    }
}

impl TrelloState {
    /// A Mongo ObjectId: seconds, five bytes of the process, a counter; so ids of one second keep their order.
    pub(crate) fn object_id(&mut self, at: OffsetDateTime) -> String {
        self.counter = (self.counter + 1) & 0x00ff_ffff;
        let seconds = u32::try_from(at.unix_timestamp()).unwrap_or(0);
        format!("{seconds:08x}5a11ec0a11{:06x}", self.counter)
    }

    /// Eight letters, as a short link has.
    fn short_link(id: &str) -> String {
        const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let hash = <sha2::Sha256 as sha2::Digest>::digest(id.as_bytes());
        hash.iter().take(8).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
    }

    /// The member with this e-mail; made on first use.
    pub(crate) fn member_of(&mut self, email: &str, full_name: &str, at: OffsetDateTime) -> String {
        if let Some(member) = self.members.values().find(|member| member.email == email) {
            return member.id.clone();
        }
        let id = self.object_id(at);
        let local: String =
            email.split('@').next().unwrap_or(email).chars().filter(char::is_ascii_alphanumeric).collect();
        let taken = self.members.values().any(|member| member.username == local);
        let username = if taken { format!("{local}{}", self.members.len()) } else { local };
        let member = Member { id: id.clone(), email: email.to_owned(), username, full_name: full_name.to_owned() };
        self.members.insert(id.clone(), member);
        id
    }

    /// By id or username.
    pub(crate) fn member(&self, key: &str) -> Option<&Member> {
        self.members.get(key).or_else(|| self.members.values().find(|member| member.username == key))
    }

    /// By id or name.
    pub(crate) fn organization(&self, key: &str) -> Option<&Organization> {
        self.organizations.get(key).or_else(|| self.organizations.values().find(|org| org.name == key))
    }

    /// By id or short link.
    pub(crate) fn board(&self, key: &str) -> Option<&Board> {
        self.boards.get(key).or_else(|| self.boards.values().find(|board| board.short_link == key))
    }

    /// By id or short link.
    pub(crate) fn card(&self, key: &str) -> Option<&Card> {
        self.cards.get(key).or_else(|| self.cards.values().find(|card| card.short_link == key))
    }

    pub(crate) fn in_organization(&self, organization: Option<&str>, member: &str) -> bool {
        let organization = organization.and_then(|id| self.organizations.get(id));
        organization.is_some_and(|org| org.memberships.iter().any(|each| each.member == member))
    }

    pub(crate) fn may_see(&self, board: &Board, member: &str) -> bool {
        board.memberships.iter().any(|each| each.member == member)
            || match board.visibility {
                Visibility::Private => false,
                Visibility::Org => self.in_organization(board.organization.as_deref(), member),
                Visibility::Public => true,
            }
    }

    pub(crate) fn may_change(&self, board: &Board, member: &str) -> bool {
        board.memberships.iter().any(|each| each.member == member && each.kind != MemberType::Observer)
    }

    /// Lists of a board, by position.
    pub(crate) fn lists_of(&self, board: &str) -> Vec<&List> {
        let mut lists: Vec<&List> = self.lists.values().filter(|list| list.board == board).collect();
        lists.sort_by(|a, b| a.pos.total_cmp(&b.pos));
        lists
    }

    /// Cards of a board, by list and position.
    pub(crate) fn cards_of(&self, board: &str) -> Vec<&Card> {
        let list_pos = |card: &Card| self.lists.get(&card.list).map_or(0.0, |list| list.pos);
        let mut cards: Vec<&Card> = self.cards.values().filter(|card| card.board == board).collect();
        cards.sort_by(|a, b| list_pos(a).total_cmp(&list_pos(b)).then(a.pos.total_cmp(&b.pos)));
        cards
    }

    pub(crate) fn add_organization(&mut self, display_name: &str, admin: &str, at: OffsetDateTime) -> String {
        let id = self.object_id(at);
        let membership = Membership { id: self.object_id(at), member: admin.to_owned(), kind: MemberType::Admin };
        let name = slug(display_name).replace('-', "");
        let organization =
            Organization { id: id.clone(), name, display_name: display_name.to_owned(), memberships: vec![membership] };
        self.organizations.insert(id.clone(), organization);
        id
    }

    pub(crate) fn join_organization(&mut self, organization: &str, member: &str, kind: MemberType, at: OffsetDateTime) {
        let membership = Membership { id: self.object_id(at), member: member.to_owned(), kind };
        if let Some(org) = self.organizations.get_mut(organization)
            && !org.memberships.iter().any(|each| each.member == member)
        {
            org.memberships.push(membership);
        }
    }

    pub(crate) fn add_board(&mut self, new: NewBoard<'_>, at: OffsetDateTime) -> String {
        let id = self.object_id(at);
        let membership = Membership { id: self.object_id(at), member: new.creator.to_owned(), kind: MemberType::Admin };
        let colors = if new.default_labels { &LABEL_COLORS[..] } else { &[] };
        let labels = colors
            .iter()
            .map(|color| Label { id: self.object_id(at), name: String::new(), color: (*color).to_owned() })
            .collect();
        let board = Board {
            id: id.clone(),
            short_link: Self::short_link(&id),
            name: new.name.to_owned(),
            desc: new.desc.to_owned(),
            closed: false,
            organization: new.organization.clone(),
            visibility: new.visibility,
            memberships: vec![membership],
            labels,
            last_activity: at,
            cards_made: 0,
        };
        self.boards.insert(id.clone(), board);
        self.act("createBoard", new.creator, &id, None, json!({}), at);
        if let Some(org) = new.organization.as_ref().and_then(|org| self.organizations.get(org)) {
            let data = json!({ "organization": { "id": org.id, "name": org.display_name } });
            self.act("addToOrganizationBoard", new.creator, &id, None, data, at);
        }
        if new.default_lists {
            for name in ["To Do", "Doing", "Done"] {
                self.add_list(&id, name, Place::Bottom, new.creator, at);
            }
        }
        id
    }

    /// Deletes a board with everything on it; not even its actions are left.
    pub(crate) fn remove_board(&mut self, id: &str) {
        self.boards.remove(id);
        self.lists.retain(|_, list| list.board != id);
        self.cards.retain(|_, card| card.board != id);
        self.actions.retain(|action| action.board.as_deref() != Some(id));
    }

    pub(crate) fn add_list(&mut self, board: &str, name: &str, place: Place, by: &str, at: OffsetDateTime) -> String {
        let pos = place.among(self.lists.values().filter(|list| list.board == board).map(|list| list.pos));
        let id = self.object_id(at);
        let list = List { id: id.clone(), board: board.to_owned(), name: name.to_owned(), closed: false, pos };
        self.lists.insert(id.clone(), list);
        self.act("createList", by, board, None, json!({ "list": { "id": id, "name": name } }), at);
        id
    }

    pub(crate) fn add_card(
        &mut self,
        list: &str,
        name: &str,
        desc: &str,
        place: Place,
        by: &str,
        at: OffsetDateTime,
    ) -> String {
        let Some(board) = self.lists.get(list).map(|list| list.board.clone()) else { return String::new() };
        let pos = self.card_pos(list, place);
        let id = self.object_id(at);
        let id_short = self.boards.get_mut(&board).map_or(1, |board| {
            board.cards_made += 1;
            board.cards_made
        });
        let card = Card {
            id: id.clone(),
            short_link: Self::short_link(&id),
            id_short,
            board: board.clone(),
            list: list.to_owned(),
            name: name.to_owned(),
            desc: desc.to_owned(),
            closed: false,
            pos,
            due: None,
            start: None,
            due_complete: false,
            members: Vec::new(),
            labels: Vec::new(),
            last_activity: at,
        };
        self.cards.insert(id.clone(), card);
        self.act("createCard", by, &board, Some(&id), json!({}), at);
        id
    }

    pub(crate) fn card_pos(&self, list: &str, place: Place) -> f64 {
        place.among(self.cards.values().filter(|card| card.list == list).map(|card| card.pos))
    }

    pub(crate) fn list_pos(&self, board: &str, place: Place) -> f64 {
        place.among(self.lists.values().filter(|list| list.board == board).map(|list| list.pos))
    }

    pub(crate) fn comment(&mut self, card: &str, text: &str, by: &str, at: OffsetDateTime) -> String {
        let Some(board) = self.cards.get(card).map(|card| card.board.clone()) else { return String::new() };
        self.act("commentCard", by, &board, Some(card), json!({ "text": text }), at)
    }

    /// Makes somebody a member of a board, or another kind of member.
    pub(crate) fn join_board(&mut self, board: &str, member: &str, kind: MemberType, by: &str, at: OffsetDateTime) {
        let membership = Membership { id: self.object_id(at), member: member.to_owned(), kind };
        let Some(found) = self.boards.get_mut(board) else { return };
        if let Some(known) = found.memberships.iter_mut().find(|each| each.member == member) {
            known.kind = kind;
            return;
        }
        found.memberships.push(membership);
        let data = json!({ "memberType": kind.name(), "idMemberAdded": member });
        self.act("addMemberToBoard", by, board, None, data, at);
        if let Some(action) = self.actions.last_mut() {
            action.subject = Some(member.to_owned());
        }
    }

    pub(crate) fn leave_board(&mut self, board: &str, member: &str, by: &str, at: OffsetDateTime) -> bool {
        let Some(found) = self.boards.get_mut(board) else { return false };
        let before = found.memberships.len();
        found.memberships.retain(|each| each.member != member);
        if found.memberships.len() == before {
            return false;
        }
        self.act("removeMemberFromBoard", by, board, None, json!({ "idMember": member, "deactivated": false }), at);
        if let Some(action) = self.actions.last_mut() {
            action.subject = Some(member.to_owned());
        }
        true
    }

    /// Records an action and touches what it was upon; `data` is completed with the board, card and list.
    pub(crate) fn act(
        &mut self,
        kind: &'static str,
        member: &str,
        board: &str,
        card: Option<&str>,
        mut data: Value,
        at: OffsetDateTime,
    ) -> String {
        if let Some(card) = card.and_then(|card| self.cards.get_mut(card)) {
            card.last_activity = at;
            let about =
                json!({ "id": card.id, "name": card.name, "idShort": card.id_short, "shortLink": card.short_link });
            let mut about = about;
            // What was changed stands in `card` with its new value, as its old one stands in `old`.
            if let Some(changed) = data.get("card").and_then(Value::as_object).cloned() {
                about.as_object_mut().into_iter().for_each(|about| about.extend(changed.clone()));
            }
            data["card"] = about;
            if data.get("list").is_none()
                && let Some(list) = self.lists.get(&card.list)
            {
                data["list"] = json!({ "id": list.id, "name": list.name });
            }
        }
        if let Some(board) = self.boards.get_mut(board) {
            board.last_activity = at;
            let mut about = json!({ "id": board.id, "name": board.name, "shortLink": board.short_link });
            if let Some(changed) = data.get("board").and_then(Value::as_object).cloned() {
                about.as_object_mut().into_iter().for_each(|about| about.extend(changed.clone()));
            }
            data["board"] = about;
        }
        let id = self.object_id(at);
        let action = Action {
            id: id.clone(),
            at,
            member: member.to_owned(),
            kind,
            data,
            board: Some(board.to_owned()),
            card: card.map(str::to_owned),
            subject: None,
        };
        self.actions.push(action);
        id
    }
}

/// `Q4 Marketing: launch` as the end of a URL: `q4-marketing-launch`.
pub(crate) fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let words: Vec<String> = lower
        .split(char::is_whitespace)
        .map(|word| word.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect();
    words.join("-")
}
