//! Where the values that steer a call come from.
//!
//! This is the host's own look-up, made after the arguments are there: what a model or a document claims about an id
//! plays no part in it.

use sallyport::Caller;
use sallyport::ids::ConnectionId;
use sallyport::tool::OfferedTool;
use serde_json::Value;

use crate::policy::{Controlled, Origin};
use crate::ports::{Documents, Place, PortError};
use crate::text::stands_in;

/// How many things of one name are looked at.
const NAMESAKES: usize = 50;

/// Every controlling argument that has a value, with its origin. `words` are the user's own, of all turns.
pub(crate) async fn account(
    documents: &dyn Documents,
    caller: &Caller,
    tool: &OfferedTool,
    arguments: &Value,
    words: &[String],
) -> Result<Vec<Controlled>, PortError> {
    let mut accounted = Vec::new();
    for at in &tool.control {
        let mut values = Vec::new();
        scalars(at, arguments.pointer(at), &mut values);
        for (at, value) in values {
            let origin = origin(documents, caller, &tool.connection, &value, words).await?;
            accounted.push(Controlled { at, value, origin });
        }
    }
    Ok(accounted)
}

/// Of the things that bear a name, those that `words` can mean: at this connection, of this kind where one is given,
/// and, where there are several, those held by something that is named too.
pub(crate) fn meant(places: Vec<Place>, connection: &ConnectionId, kind: Option<&str>, words: &[String]) -> Vec<Place> {
    let fits = |place: &Place| {
        place.connections.contains(connection) && kind.is_none_or(|kind| place.kind.eq_ignore_ascii_case(kind))
    };
    let mut places: Vec<Place> = places.into_iter().filter(fits).collect();
    places.sort_by(|a, b| a.id.cmp(&b.id));
    places.dedup_by(|a, b| a.id == b.id);
    if places.len() < 2 {
        return places;
    }
    let held = |place: &Place| place.path.iter().any(|holder| named_in(holder, words));
    let narrowed: Vec<Place> = places.iter().filter(|place| held(place)).cloned().collect();
    if narrowed.is_empty() { places } else { narrowed }
}

async fn origin(
    documents: &dyn Documents,
    caller: &Caller,
    connection: &ConnectionId,
    value: &str,
    words: &[String],
) -> Result<Origin, PortError> {
    if words.iter().any(|words| stands_in(value, words)) {
        return Ok(Origin::Words);
    }
    let Some(place) = documents.with_id(caller, connection, value).await? else {
        return Ok(Origin::Unaccounted);
    };
    if !named_in(&place.name, words) {
        return Ok(Origin::Unaccounted);
    }
    let namesakes = documents.named(caller, &place.name, NAMESAKES).await?;
    let meant = meant(namesakes, connection, Some(&place.kind), words);
    Ok(match meant.as_slice() {
        [only] if only.id == value => Origin::Resolved(place.name),
        _ => Origin::Ambiguous(place.name),
    })
}

/// Whether the user named it. Case does not count in names, unlike in values.
fn named_in(name: &str, words: &[String]) -> bool {
    let name = name.to_lowercase();
    name.chars().count() > 1 && words.iter().any(|words| stands_in(&name, &words.to_lowercase()))
}

/// Every scalar at or under a value, with its own pointer.
fn scalars(at: &str, value: Option<&Value>, into: &mut Vec<(String, String)>) {
    match value {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) => into.push((at.to_owned(), text.clone())),
        Some(scalar @ (Value::Number(_) | Value::Bool(_))) => into.push((at.to_owned(), scalar.to_string())),
        Some(Value::Array(values)) => {
            for (index, value) in values.iter().enumerate() {
                scalars(&format!("{at}/{index}"), Some(value), into);
            }
        }
        Some(Value::Object(fields)) => {
            for (key, value) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                scalars(&format!("{at}/{key}"), Some(value), into);
            }
        }
    }
}
