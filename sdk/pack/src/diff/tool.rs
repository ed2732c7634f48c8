//! Tools: what the manifest lets them do, and how they describe themselves.

use super::{Changes, Wider, word, words};
use crate::describe::ToolDescription;
use crate::manifest::{Effect, Tool};

impl Changes {
    pub(super) fn tools(&mut self, old: &[Tool], new: &[Tool]) {
        for tool in new {
            match old.iter().find(|before| before.name == tool.name) {
                Some(before) => self.tool(before, tool),
                None => {
                    let (effect, by) = (word(&tool.effect), words(&tool.capabilities));
                    self.say(true, format!("+ tool {} ({effect}) by {by}{}", tool.name, writes(tool)));
                }
            }
        }
        for tool in old.iter().filter(|before| !new.iter().any(|after| after.name == before.name)) {
            self.say(false, format!("- tool {} ({})", tool.name, word(&tool.effect)));
        }
    }

    fn tool(&mut self, old: &Tool, new: &Tool) {
        let name = &new.name;
        if old.effect != new.effect {
            // A tool that reads makes no writes; any other change adds writes, or takes away a warning before them.
            let wider = new.effect != Effect::Read;
            self.say(wider, format!("~ tool {name} effect {} → {}", word(&old.effect), word(&new.effect)));
        }
        self.listed(Wider::More, &format!("capability of the tool {name}:"), &old.capabilities, &new.capabilities);
        if old.max_writes != new.max_writes {
            let wider = new.max_writes > old.max_writes;
            self.say(wider, format!("~ tool {name} max_writes {} → {}", old.max_writes, new.max_writes));
        }
        if old.destination != new.destination {
            let shown = |tool: &Tool| tool.destination.as_ref().map_or_else(|| "unknown".to_owned(), word);
            // Where nothing is declared, a person is asked.
            let wider = new.destination.is_some();
            self.say(wider, format!("~ tool {name} destination {} → {}", shown(old), shown(new)));
        }
        let what = format!("argument of {name} that must come from the person's words:");
        self.listed(Wider::Less, &what, &old.control, &new.control);
    }

    /// What tools say of themselves gives them no power; people and models are shown it.
    pub(super) fn descriptions(&mut self, old: &[ToolDescription], new: &[ToolDescription]) {
        for tool in new {
            let Some(before) = old.iter().find(|before| before.name == tool.name) else { continue };
            let name = &tool.name;
            if (&before.title, &before.description) != (&tool.title, &tool.description) {
                self.say(false, format!("~ tool {name} describes itself otherwise"));
            }
            if before.input != tool.input {
                self.say(false, format!("~ tool {name} takes other arguments"));
            }
            if before.output != tool.output {
                self.say(false, format!("~ tool {name} answers otherwise"));
            }
        }
    }
}

fn writes(tool: &Tool) -> String {
    match tool.max_writes {
        0 => String::new(),
        1 => ", 1 write a call".to_owned(),
        many => format!(", {many} writes a call"),
    }
}
