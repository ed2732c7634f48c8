//! The gate's rules in other words, as short as they can be said and with nothing of the gate's own code.

use std::net::{IpAddr, Ipv4Addr};

use percent_encoding::percent_decode_str;

/// Whether a template, as it is written, allows a request.
pub fn matches(template: &str, method: &str, origin: &str, segments: &[String]) -> bool {
    let (own_method, target) = template.split_once(" {").expect("a template has a method and an origin");
    let (own_origin, path) = target.split_once("}/").expect("a template has an origin and a path");
    let own: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
    (own_method == "*" || own_method == method) && own_origin == origin && follows(&own, segments)
}

fn follows(own: &[&str], given: &[String]) -> bool {
    match (own, given) {
        ([], []) => true,
        (["**"], [_, ..]) => true,
        ([first, own @ ..], [segment, given @ ..]) => {
            (is_placeholder(first) || first == segment) && follows(own, given)
        }
        _ => false,
    }
}

fn is_placeholder(piece: &str) -> bool {
    piece.starts_with('{')
}

/// What a placeholder stands for.
pub fn captured<'s>(template: &str, name: &str, segments: &'s [String]) -> &'s str {
    let path = template.split_once("}/").expect("a template has an origin and a path").1;
    let at = path.split('/').position(|piece| piece == format!("{{{name}}}")).expect("the template has it");
    &segments[at]
}

/// A path split at its slashes and decoded; `None` where a piece is no text.
pub fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Some(Vec::new());
    }
    path.split('/').map(decoded).collect()
}

pub fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(String::from)
}

/// Whether a segment can be read as anything but one name.
pub fn is_ambiguous(segment: &str) -> bool {
    segment.is_empty()
        || segment == "."
        || segment == ".."
        || segment.contains(['/', '\\'])
        || segment.contains(char::is_control)
}

/// Whether the standard library, too, says of an address that it is one on the public internet.
pub fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => match address.segments() {
            [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                is_global_v4((u32::from(high) << 16 | u32::from(low)).into())
            }
            _ => address.is_global() && !address.is_multicast(),
        },
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    address.is_global() && !address.is_multicast() && address != Ipv4Addr::new(168, 63, 129, 16)
}
