//! The demo company, Larkfield: it makes soil sensors and an irrigation planner for vineyards and orchards.
//! Its documents and boards are the files under `seed/`.

use super::{
    CONNECTOR_ACCOUNT, Document, Seed,
    access::{Access, FILE_NAME, reader},
    kind,
};
use crate::{
    clock,
    drive::{Grantee, Permission, Role},
    trello::{MemberType, NewBoard, Place, Visibility},
};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

/// Paths below `seed/` and contents.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/seed_files.rs"));

pub(super) fn build(with_documents: bool) -> Seed {
    let mut seed = people();
    if with_documents {
        documents(&mut seed);
    }
    boards(&mut seed);
    seed
}

fn file(name: &str) -> &'static str {
    FILES
        .iter()
        .find(|(path, _)| *path == name)
        .map(|(_, text)| *text)
        .expect("the build script embeds every seed file")
}

#[derive(Deserialize)]
struct People {
    people: Vec<(String, String)>,
    groups: BTreeMap<String, Vec<String>>,
    admins: Vec<String>,
}

fn people() -> Seed {
    let people: People = serde_json::from_str(file("people.json")).expect("people.json is tested");
    let mut seed = Seed::empty();
    people.people.iter().for_each(|(email, name)| seed.directory.add_person(email, name));
    people.groups.into_iter().for_each(|(group, members)| seed.directory.add_group(&group, members));
    people.admins.iter().for_each(|email| seed.directory.make_admin(email));
    seed
}

fn documents(seed: &mut Seed) {
    // Folders before what is in them: they say who owns it and who may read it.
    let (access, texts): (Vec<_>, Vec<_>) =
        FILES.iter().filter(|(path, _)| path.contains('/')).partition(|(path, _)| path.ends_with(FILE_NAME));
    let mut owners: BTreeMap<&str, String> = BTreeMap::new();
    for (path, text) in access {
        let folder = path.strip_suffix(FILE_NAME).unwrap_or(path).trim_end_matches('/');
        let access = Access::parse(Path::new(path), text).expect("seed access files are tested");
        let permissions =
            access.permissions(Path::new(path), &mut seed.directory).expect("seed access files are tested");
        let (place, inside) = place(folder);
        match place {
            Some(drive) if inside.is_empty() => {
                seed.add_shared_drive(drive, permissions);
                continue;
            }
            _ => {}
        }
        let owner = access.owner.unwrap_or_else(|| CONNECTOR_ACCOUNT.to_owned());
        let id = seed.ensure_folder(inside, &owner, place);
        permissions.into_iter().for_each(|permission| seed.drive.grant(&id, permission));
        if place.is_none() && !inside.contains('/') {
            let connector = Grantee::User(CONNECTOR_ACCOUNT.to_owned());
            seed.drive.grant(&id, Permission::new(connector, Role::Writer));
        }
        owners.insert(folder, owner);
    }
    for (path, text) in texts {
        document(seed, path, text, &owners);
    }
}

/// The shared drive that a seed path is in, and the path inside it or inside a My Drive.
fn place(path: &str) -> (Option<&str>, &str) {
    let (kind, inside) = path.split_once('/').unwrap_or((path, ""));
    match kind {
        "shared-drives" => {
            let (drive, inside) = inside.split_once('/').unwrap_or((inside, ""));
            (Some(drive), inside)
        }
        _ => (None, inside),
    }
}

fn document(seed: &mut Seed, path: &str, text: &str, owners: &BTreeMap<&str, String>) {
    let (head, body) = front_matter(text);
    let head: BTreeMap<&str, &str> =
        head.lines().filter_map(|line| line.split_once(':')).map(|(k, v)| (k.trim(), v.trim())).collect();
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let above = std::iter::successors(Some(folder), |folder| folder.rsplit_once('/').map(|(above, _)| above));
    let inherited = above.filter_map(|folder| owners.get(folder)).next().cloned();
    let owner = head
        .get("owner")
        .map(|owner| (*owner).to_owned())
        .or(inherited)
        .unwrap_or_else(|| CONNECTOR_ACCOUNT.to_owned());
    let permissions = [("readers", Role::Reader), ("commenters", Role::Commenter), ("writers", Role::Writer)];
    let permissions = permissions.iter().flat_map(|(key, role)| {
        let names = head.get(key).copied().unwrap_or_default();
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(|name| (name, *role)).collect::<Vec<_>>()
    });
    let permissions = permissions
        .map(|(name, role)| {
            reader(Path::new(path), name, role, &mut seed.directory).expect("seed documents are tested")
        })
        .collect();
    let (drive, inside) = place(folder);
    let mime_type = head.get("kind").and_then(|name| kind(name));
    // Google's own documents have no extension.
    let plain = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let name = head.get("title").copied().unwrap_or(if mime_type.is_some() { plain } else { name });
    let path = if inside.is_empty() { name.to_owned() } else { format!("{inside}/{name}") };
    let modified = head.get("modified").and_then(|at| clock::parse(at));
    let id = seed.add_document(Document {
        path: &path,
        owner: &owner,
        drive,
        content: body,
        mime_type,
        permissions,
        modified,
    });
    if let Some(file) = seed.drive.files.get_mut(&id) {
        file.description = head.get("description").map(|text| (*text).to_owned());
        let comments = head.get("comment").into_iter().filter_map(|comment| comment.split_once(": "));
        file.comments.extend(
            comments.map(|(author, text)| crate::drive::Comment { author: author.to_owned(), text: text.to_owned() }),
        );
    }
}

/// Head and body of a file that begins with `---`.
fn front_matter(text: &str) -> (&str, &str) {
    let rest = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
    rest.map_or(("", text), |(head, body)| (head, body.trim_start_matches('\n')))
}

#[derive(Deserialize)]
struct Boards {
    workspace: String,
    admin: String,
    boards: Vec<BoardText>,
}

#[derive(Deserialize)]
struct BoardText {
    name: String,
    desc: String,
    visibility: Visibility,
    owner: String,
    created: String,
    members: BTreeMap<String, MemberType>,
    lists: Vec<ListText>,
}

#[derive(Deserialize)]
struct ListText {
    name: String,
    cards: Vec<CardText>,
}

#[derive(Deserialize)]
struct CardText {
    name: String,
    #[serde(default)]
    desc: String,
    #[serde(default)]
    due: Option<String>,
    #[serde(default)]
    done: bool,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    comments: Vec<(String, String)>,
}

fn boards(seed: &mut Seed) {
    let text: Boards = serde_json::from_str(file("trello.json")).expect("trello.json is tested");
    let admin = seed.member(&text.admin);
    let organization = seed.trello.add_organization(&text.workspace, &admin, seed.at);
    let everybody: Vec<String> = seed.directory.people().map(|person| person.email.clone()).collect();
    for email in everybody {
        let member = seed.member(&email);
        let at = seed.at;
        seed.trello.join_organization(&organization, &member, MemberType::Normal, at);
    }
    for board in text.boards {
        add_board(seed, board, &organization);
    }
}

fn add_board(seed: &mut Seed, board: BoardText, organization: &str) {
    let mut at = clock::parse(&board.created).expect("trello.json is tested");
    // Things were done one after another, a few minutes apart.
    let mut tick = || {
        at += time::Duration::minutes(7);
        at
    };
    let owner = seed.member(&board.owner);
    let new = NewBoard {
        name: &board.name,
        desc: &board.desc,
        organization: Some(organization.to_owned()),
        visibility: board.visibility,
        creator: &owner,
        default_lists: false,
        default_labels: true,
    };
    let id = seed.trello.add_board(new, tick());
    for (email, kind) in &board.members {
        let member = seed.member(email);
        seed.trello.join_board(&id, &member, *kind, &owner, tick());
    }
    for list in &board.lists {
        let list_id = seed.trello.add_list(&id, &list.name, Place::Bottom, &owner, tick());
        for card in &list.cards {
            let card_id = seed.trello.add_card(&list_id, &card.name, &card.desc, Place::Bottom, &owner, tick());
            let members = card.members.iter().map(|email| seed.member(email)).collect();
            let colors = seed.trello.boards.get(&id).map(|board| board.labels.clone()).unwrap_or_default();
            if let Some(made) = seed.trello.cards.get_mut(&card_id) {
                made.members = members;
                made.due = card.due.as_deref().and_then(clock::parse);
                made.due_complete = card.done;
                made.labels = colors
                    .iter()
                    .filter(|label| card.labels.contains(&label.color))
                    .map(|label| label.id.clone())
                    .collect();
            }
            for (author, text) in &card.comments {
                let author = seed.member(author);
                seed.trello.comment(&card_id, text, &author, tick());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_is_cut_off() {
        assert_eq!(front_matter("---\ntitle: A\n---\n\n# B\n"), ("title: A", "# B\n"));
        assert_eq!(front_matter("# B\n"), ("", "# B\n"));
    }
}
