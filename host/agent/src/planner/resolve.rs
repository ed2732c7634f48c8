//! Names of the request, looked up: which list is "Backlog"?

use std::collections::BTreeMap;

use sallyport::Caller;
use sallyport::tool::{OfferedTool, ToolDestination};
use serde_json::Value;

use super::request::{Command, Piece, Request};
use super::shape::{Role, Schema, Shape, role};
use super::words::{Word, name_words, noun, words};
use crate::control::meant;
use crate::ports::{Documents, PortError};

/// What became of the names that the request gives to things of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    /// Exactly one thing.
    One {
        /// Its id at the service.
        id: String,
        /// The name that led to it.
        name: String,
    },
    /// Nothing bears these names, or no name was given.
    None(Vec<String>),
    /// Several bear the name; what holds each.
    Several(String, Vec<String>),
}

/// Looks up every kind of thing that the tool's schema asks an id of.
pub(super) async fn resolve(
    documents: &dyn Documents,
    caller: &Caller,
    tool: &OfferedTool,
    request: &Request,
    command: &Command,
    object: &[String],
) -> Result<BTreeMap<String, Resolution>, PortError> {
    let mut kinds = Vec::new();
    collect(Schema::new(&tool.input), "", tool, 0, &mut kinds);
    let words = [request.text.clone()];
    let mut resolved = BTreeMap::new();
    for kind in kinds {
        let mut tied = request.names_of(&kind);
        if object.contains(&kind) {
            tied.extend(request.pieces[command.object.clone()].iter().filter_map(|piece| match piece {
                Piece::Quote { text, .. } => Some(text.clone()),
                _ => None,
            }));
        }
        let mut resolution = Resolution::None(tied.clone());
        for name in tied.iter().cloned().chain(request.places()) {
            let bare = name.trim_start_matches('#');
            let mut places = documents.named(caller, &name, 50).await?;
            if bare != name {
                places.extend(documents.named(caller, bare, 50).await?);
            }
            let places = meant(places, &tool.connection, Some(&kind), &words);
            match places.as_slice() {
                [] => {}
                [only] => {
                    resolution = Resolution::One { id: only.id.clone(), name };
                    break;
                }
                several => {
                    let held = several.iter().map(|place| place.path.join(" / ")).collect();
                    resolution = Resolution::Several(name, held);
                    break;
                }
            }
        }
        // An id that the user wrote out is taken as it is, and so is the address of a person.
        if let Resolution::None(names) = &resolution {
            let mail = || mails(&request.text).into_iter().next().filter(|_| is_principal(tool, &kind));
            if let Some(id) = names.iter().find(|name| is_id(name)).cloned().or_else(mail) {
                resolution = Resolution::One { id: id.clone(), name: id };
            }
        }
        resolved.insert(kind, resolution);
    }
    Ok(resolved)
}

/// The e-mail addresses of a text, as written.
pub(super) fn mails(text: &str) -> Vec<String> {
    let is_mail = |word: &Word| word.lower.find('@').is_some_and(|at| at > 0);
    words(text).into_iter().filter(is_mail).map(|word| text[word.span].to_owned()).collect()
}

/// Whether the tool's destination is a person or group that this kind of property names.
fn is_principal(tool: &OfferedTool, kind: &str) -> bool {
    let ToolDestination::Principal(at) = &tool.destination else { return false };
    let name = at.rsplit('/').next().unwrap_or_default();
    name_words(name).iter().any(|word| noun(word) == kind)
}

fn is_id(name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '@' | '.'));
    plain && (name.contains('@') || name.len() >= 8 && name.chars().any(|c| c.is_ascii_digit()))
}

/// Every kind of which some property, outside lists of records, wants an id.
fn collect(schema: Schema<'_>, at: &str, tool: &OfferedTool, depth: usize, into: &mut Vec<String>) {
    if depth > 6 {
        return;
    }
    for (name, property) in schema.properties() {
        let at = format!("{at}/{name}");
        match property.shape() {
            Shape::Record => collect(property, &at, tool, depth + 1, into),
            Shape::Text => {
                if let Role::Id(kind) = role(name, property, tool.control.contains(&at))
                    && !into.contains(&kind)
                {
                    into.push(kind);
                }
            }
            _ => {}
        }
    }
}

/// Whether the tool's schema holds any list, so that a document may be wanted to fill it.
pub(super) fn holds_lists(schema: &Value) -> bool {
    Schema::new(schema).properties().any(|(_, property)| property.depth() > 0)
}
