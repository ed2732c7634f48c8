//! Plain text and HTML as Markdown, by their layout.

/// Plain text with the Markdown that its layout means: bullets, and short lines that head what follows.
pub(super) fn marked_up(text: &str) -> String {
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().map(str::trim_end).collect();
    let bullet = |line: &str| {
        let line = line.trim_start();
        line.starts_with(['•', '●', '◦', '▪', '‣', '■'])
            || ["- ", "* ", "+ "].iter().any(|mark| line.starts_with(mark))
            || {
                let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
                rest.len() < line.len() && (rest.starts_with(". ") || rest.starts_with(") "))
            }
    };
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let blank_before = at == 0 || lines[at - 1].trim().is_empty();
        let next = lines.get(at + 1).copied().unwrap_or_default();
        let heads = !line.trim().is_empty()
            && !line.starts_with([' ', '\t', '#', '|', '>'])
            && !bullet(line)
            && line.chars().count() <= 70
            && !line.ends_with(['.', '!', '?', ',', ';'])
            && blank_before
            && at + 1 < lines.len()
            && (next.trim().is_empty() || bullet(next));
        if heads {
            // A line in capitals stands above one that is not.
            let level =
                if line.chars().any(char::is_alphabetic) && !line.chars().any(char::is_lowercase) { 1 } else { 2 };
            out.push_str(&format!("\n{} {}\n\n", "#".repeat(level), line.trim()));
            continue;
        }
        let trimmed = line.trim_start();
        if let Some(rest) = trimmed.strip_prefix(['•', '●', '◦', '▪', '‣', '■']) {
            out.push_str(&line[..line.len() - trimmed.len()]);
            out.push_str("- ");
            out.push_str(rest.trim_start());
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// HTML as the lines that it shows; blocks end lines and items become bullets.
pub(super) fn without_tags(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    let mut hidden: Option<String> = None;
    while let Some(at) = rest.find('<') {
        if hidden.is_none() {
            out.push_str(&rest[..at]);
        }
        let Some(end) = rest[at..].find('>') else {
            rest = "";
            break;
        };
        let tag = rest[at + 1..at + end].trim().to_lowercase();
        rest = &rest[at + end + 1..];
        let name: String = tag.chars().take_while(|c| c.is_alphanumeric() || *c == '/').collect();
        match (&hidden, name.as_str()) {
            (Some(open), close) if close.strip_prefix('/') == Some(open) => hidden = None,
            (Some(_), _) => {}
            (None, "script" | "style" | "head") => hidden = Some(name),
            (None, "li") => out.push_str("\n- "),
            (None, heading) if heading.len() == 2 && heading.starts_with('h') && heading != "hr" => {
                let level = heading[1..].parse().unwrap_or(2usize).clamp(1, 6);
                out.push_str(&format!("\n\n{} ", "#".repeat(level)));
            }
            (None, "p" | "/p" | "br" | "div" | "/div" | "tr" | "/ul" | "/ol") => out.push('\n'),
            (None, heading) if heading.starts_with("/h") => out.push_str("\n\n"),
            (None, "/td" | "/th") => out.push(' '),
            (None, _) => {}
        }
    }
    if hidden.is_none() {
        out.push_str(rest);
    }
    let entities = [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(out, |text, (entity, is)| text.replace(entity, is))
}
