//! Boards, lists, cards, members and actions with the keys and types that recordings of the service have.

use super::{
    model::{Action, Board, Card, Label, List, Member, Membership, Organization},
    state::{TrelloState, slug},
};
use crate::clock::stamp;
use serde_json::{Map, Value, json};

/// Keeps the id and the named fields; `all` and no selection keep everything.
pub(crate) fn select(whole: Value, fields: Option<&str>) -> Value {
    let Some(fields) = fields.filter(|fields| !fields.is_empty() && *fields != "all") else { return whole };
    let wanted: Vec<&str> = fields.split(',').map(str::trim).collect();
    match whole {
        Value::Object(object) => {
            let kept = object.into_iter().filter(|(name, _)| name == "id" || wanted.contains(&name.as_str()));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        other => other,
    }
}

pub(crate) fn board(board: &Board) -> Value {
    let short_url = format!("https://trello.com/b/{}", board.short_link);
    let label = |color: &str| {
        let named = board.labels.iter().find(|label| label.color == color);
        named.map(|label| label.name.clone()).unwrap_or_default()
    };
    let colors = ["green", "yellow", "orange", "red", "purple", "blue", "sky", "lime", "pink", "black"];
    let label_names: Map<String, Value> =
        colors.iter().map(|color| ((*color).to_owned(), label(color).into())).collect();
    json!({
        "id": board.id,
        "name": board.name,
        "desc": board.desc,
        "descData": described(&board.desc),
        "closed": board.closed,
        "dateClosed": null,
        "idOrganization": board.organization,
        "idEnterprise": null,
        "pinned": false,
        "starred": false,
        "url": format!("{short_url}/{}", slug(&board.name)),
        "shortUrl": short_url,
        "shortLink": board.short_link,
        "subscribed": false,
        "dateLastActivity": stamp(board.last_activity),
        "dateLastView": null,
        "prefs": {
            "permissionLevel": board.visibility.name(), "hideVotes": false, "voting": "disabled", "comments": "members",
            "invitations": "members", "selfJoin": true, "cardCovers": true, "isTemplate": false, "cardAging": "regular",
            "calendarFeedEnabled": false, "background": "blue", "backgroundImage": null, "backgroundImageScaled": null,
            "backgroundTile": false, "backgroundBrightness": "dark", "backgroundColor": "#0079BF",
            "backgroundBottomColor": "#0079BF", "backgroundTopColor": "#0079BF", "canBePublic": true,
            "canBeEnterprise": true, "canBeOrg": true, "canBePrivate": true, "canInvite": true,
        },
        "labelNames": label_names,
        "memberships": board.memberships.iter().map(membership).collect::<Vec<_>>(),
        "limits": {},
    })
}

/// `GET /boards/{id}` and the replies to writes have fewer fields by default than `members/me/boards`.
pub(crate) const BOARD_DEFAULT: &str =
    "id,name,desc,descData,closed,idOrganization,idEnterprise,pinned,url,shortUrl,prefs,labelNames";

pub(crate) fn list(list: &List) -> Value {
    json!({ "id": list.id, "name": list.name, "closed": list.closed, "pos": number(list.pos), "idBoard": list.board })
}

/// As members of a board's collection, lists say two things more.
pub(crate) fn listed(each: &List) -> Value {
    let mut whole = list(each);
    whole["softLimit"] = Value::Null;
    whole["subscribed"] = false.into();
    whole
}

pub(crate) fn card(state: &TrelloState, card: &Card) -> Value {
    let short_url = format!("https://trello.com/c/{}", card.short_link);
    let due = card.due.map(stamp);
    let commented = |action: &&Action| action.kind == "commentCard" && action.card.as_ref() == Some(&card.id);
    let board = state.boards.get(&card.board);
    let labels: Vec<Value> = board
        .into_iter()
        .flat_map(|board| &board.labels)
        .filter(|known| card.labels.contains(&known.id))
        .map(|known| label(known, &card.board))
        .collect();
    json!({
        "id": card.id,
        "checkItemStates": [],
        "closed": card.closed,
        "dateLastActivity": stamp(card.last_activity),
        "desc": card.desc,
        "descData": described(&card.desc),
        "dueReminder": null,
        "idBoard": card.board,
        "idList": card.list,
        "idMembersVoted": [],
        "idShort": card.id_short,
        "idAttachmentCover": null,
        "idLabels": card.labels,
        "manualCoverAttachment": false,
        "name": card.name,
        "pos": number(card.pos),
        "shortLink": card.short_link,
        "isTemplate": false,
        "dueComplete": card.due_complete,
        "due": due,
        "start": card.start.map(stamp),
        "email": null,
        "labels": labels,
        "shortUrl": short_url,
        "url": format!("{short_url}/{}-{}", card.id_short, slug(&card.name)),
        "cover": { "idAttachment": null, "color": null, "idUploadedBackground": null, "size": "normal", "brightness": "light" },
        "idMembers": card.members,
        "idChecklists": [],
        "badges": {
            "attachmentsByType": { "trello": { "board": 0, "card": 0 } }, "location": false, "votes": 0,
            "viewingMemberVoted": false, "subscribed": false, "fogbugz": "", "checkItems": 0, "checkItemsChecked": 0,
            "checkItemsEarliestDue": null, "comments": state.actions.iter().filter(commented).count(), "attachments": 0,
            "description": !card.desc.is_empty(), "due": due, "dueComplete": card.due_complete,
        },
        "subscribed": false,
    })
}

pub(crate) fn label(label: &Label, board: &str) -> Value {
    json!({ "id": label.id, "idBoard": board, "name": label.name, "color": label.color })
}

pub(crate) fn membership(each: &Membership) -> Value {
    json!({
        "id": each.id, "idMember": each.member, "memberType": each.kind.name(), "unconfirmed": false, "deactivated": false,
    })
}

/// Of other members, never the e-mail.
pub(crate) fn member(member: &Member) -> Value {
    let initials: String = member.full_name.split_whitespace().filter_map(|name| name.chars().next()).collect();
    json!({
        "id": member.id, "username": member.username, "activityBlocked": false, "avatarHash": null, "avatarUrl": null,
        "fullName": member.full_name, "idMemberReferrer": null, "initials": initials, "nonPublic": {},
        "nonPublicAvailable": true,
    })
}

/// A member's whole profile; the e-mail only to themselves.
pub(crate) fn profile(state: &TrelloState, each: &Member, own: bool) -> Value {
    let mut whole = member(each);
    let mine = |board: &&Board| board.memberships.iter().any(|membership| membership.member == each.id);
    let joined = |org: &&Organization| org.memberships.iter().any(|membership| membership.member == each.id);
    let more = json!({
        "bio": "", "bioData": { "emoji": {} }, "confirmed": true, "memberType": "normal", "idEnterprise": null,
        "idEnterprisesDeactivated": [], "idPremOrgsAdmin": [], "products": [],
        "url": format!("https://trello.com/{}", each.username), "status": "disconnected",
        "email": own.then(|| each.email.clone()),
        "idBoards": state.boards.values().filter(mine).map(|board| board.id.clone()).collect::<Vec<_>>(),
        "idOrganizations": state.organizations.values().filter(joined).map(|org| org.id.clone()).collect::<Vec<_>>(),
        "prefs": { "colorBlind": false, "locale": "en", "privacy": { "fullName": "public", "avatar": "public" } },
        "idEnterprisesAdmin": [], "loginTypes": own.then(|| json!(["atlassian"])),
    });
    if let (Value::Object(whole), Value::Object(more)) = (&mut whole, more) {
        whole.extend(more);
    }
    whole
}

pub(crate) fn organization(org: &Organization) -> Value {
    json!({
        "id": org.id, "name": org.name, "displayName": org.display_name, "desc": "", "descData": null, "website": null,
        "teamType": null, "url": format!("https://trello.com/{}", org.name), "logoHash": null, "logoUrl": null,
        "premiumFeatures": [], "powerUps": [], "products": [], "idEnterprise": null, "invited": false, "invitations": [],
        "prefs": {
            "permissionLevel": "private", "orgInviteRestrict": [], "boardInviteRestrict": "any",
            "externalMembersDisabled": false, "associatedDomain": null, "googleAppsVersion": 1,
            "boardVisibilityRestrict": { "private": "org", "org": "org", "enterprise": "org", "public": "org" },
            "boardDeleteRestrict": { "private": "org", "org": "org", "enterprise": "org", "public": "org" },
            "attachmentRestrictions": null,
        },
        "memberships": org.memberships.iter().map(membership).collect::<Vec<_>>(),
    })
}

pub(crate) fn action(state: &TrelloState, action: &Action) -> Value {
    let mut whole = json!({
        "id": action.id,
        "idMemberCreator": action.member,
        "data": action.data,
        "type": action.kind,
        "date": stamp(action.at),
        "appCreator": null,
        "limits": {},
    });
    if action.kind == "commentCard" {
        whole["limits"] = json!({
            "reactions": {
                "perAction": { "status": "ok", "disableAt": 900, "warnAt": 720 },
                "uniquePerAction": { "status": "ok", "disableAt": 17, "warnAt": 14 },
            },
        });
    }
    if let Some(subject) = action.subject.as_ref().and_then(|id| state.members.get(id)) {
        whole["member"] = member(subject);
    }
    if let Some(creator) = state.members.get(&action.member) {
        whole["memberCreator"] = member(creator);
    }
    whole
}

/// `null` for no text, else an object: what recordings have for descriptions.
fn described(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!({ "emoji": {} }) }
}

/// Whole positions are sent as integers.
fn number(pos: f64) -> Value {
    if pos.fract() == 0.0 && pos.abs() < 9e15 { json!(pos as i64) } else { json!(pos) }
}
