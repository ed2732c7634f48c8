//! `log`: escaped and capped. What a guest writes is data of a stranger, not of ours.

use crate::engine::imports::connector::log::{Host, Severity};
use crate::engine::imports::connector::types::Field;

use super::{Failed, State};

impl Host for State {
    async fn write(&mut self, severity: Severity, message: String, fields: Vec<Field>) -> wasmtime::Result<()> {
        self.called()?;
        if self.is_told_again() || self.log_left == 0 {
            return Ok(());
        }
        let mut line = String::new();
        escape(&message, &mut line);
        for field in &fields {
            line.push(' ');
            escape(&field.name, &mut line);
            line.push('=');
            escape(&field.value, &mut line);
        }
        let line = self.within_log(line);
        let (connector, invocation) = (self.connection.connector.as_str(), self.at.invocation.as_str());
        match severity {
            Severity::Debug => tracing::debug!(target: "sallyport::guest", connector, invocation, "{line}"),
            Severity::Info => tracing::info!(target: "sallyport::guest", connector, invocation, "{line}"),
            Severity::Warn => tracing::warn!(target: "sallyport::guest", connector, invocation, "{line}"),
            Severity::Error => tracing::error!(target: "sallyport::guest", connector, invocation, "{line}"),
        }
        Ok(())
    }
}

impl State {
    /// Tells the operator what the gate refused and what would allow it, whatever the guest makes of it. It is counted as
    /// the guest's own log is: who is refused without end fills no disk.
    pub(super) fn tell_refusal(&mut self, failed: &Failed) {
        let (Failed::Denied { message, .. } | Failed::Malformed(message)) = failed else { return };
        if self.is_told_again() || self.log_left == 0 {
            return;
        }
        let mut line = String::new();
        escape(message, &mut line);
        let line = self.within_log(line);
        let (connector, invocation) = (self.connection.connector.as_str(), self.at.invocation.as_str());
        tracing::warn!(connector, connection = %self.connection.id, invocation, "refused: {line}");
    }

    /// What of a line there is still room for.
    fn within_log(&mut self, mut line: String) -> String {
        if line.len() > self.log_left {
            let end = (0..=self.log_left).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
            line.truncate(end);
            line.push_str(" [the log ends here: it is full]");
            self.log_left = 0;
        } else {
            self.log_left -= line.len();
        }
        line
    }
}

/// Control and formatting characters become escapes: no line is forged, no terminal is driven.
fn escape(text: &str, line: &mut String) {
    for c in text.chars() {
        let directional =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || directional {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_log_line_drives_no_terminal() {
        let mut line = String::new();
        super::escape("a\u{1b}[2J\nb\u{202e}ü", &mut line);
        assert_eq!(line, "a\\u{1b}[2J\\nb\\u{202e}ü");
    }
}
