//! Any number of documents for measuring: every one different, the same in every run.

use super::{Document, Seed, demo};
use crate::drive::{Grantee, Permission, Role};

const WORDS: [&str; 64] = [
    "sensor",
    "vineyard",
    "harvest",
    "orchard",
    "gateway",
    "battery",
    "moisture",
    "forecast",
    "pump",
    "valve",
    "season",
    "report",
    "margin",
    "supplier",
    "pilot",
    "contract",
    "invoice",
    "firmware",
    "release",
    "incident",
    "customer",
    "region",
    "delivery",
    "warehouse",
    "schedule",
    "threshold",
    "calibration",
    "probe",
    "radio",
    "antenna",
    "partner",
    "workshop",
    "survey",
    "renewal",
    "discount",
    "channel",
    "campaign",
    "review",
    "budget",
    "hiring",
    "onboarding",
    "roadmap",
    "prototype",
    "field",
    "trial",
    "yield",
    "drainage",
    "canopy",
    "rootstock",
    "fertiliser",
    "audit",
    "certificate",
    "export",
    "customs",
    "insurance",
    "grant",
    "cooperative",
    "workshopping",
    "terrace",
    "well",
    "reservoir",
    "nitrate",
    "pruning",
    "frost",
];
const VERBS: [&str; 12] = [
    "measures",
    "delays",
    "improves",
    "replaces",
    "follows",
    "reduces",
    "explains",
    "extends",
    "blocks",
    "precedes",
    "supports",
    "contradicts",
];
const TEAMS: [&str; 5] = ["engineering", "marketing", "sales", "people-team", "leadership"];

/// Documents lie in twenty folders; of five, one is for everybody, three for a group, one for its owner alone.
pub(super) fn build(documents: usize) -> Seed {
    let mut seed = demo::build(false);
    let domain = seed.directory.domain.clone();
    let owner = super::CONNECTOR_ACCOUNT;
    for number in 0..20_usize {
        let grantee = match number % 5 {
            0 => Some(Grantee::Domain(domain.clone())),
            4 => None,
            team => Some(Grantee::Group(format!("{}@{domain}", TEAMS[team]))),
        };
        let permissions = grantee.into_iter().map(|grantee| Permission::new(grantee, Role::Reader)).collect();
        seed = seed.folder_access(&format!("Synthetic/Folder {number:02}"), owner, permissions);
    }
    for number in 0..documents {
        let text = text(number);
        let path = format!("Synthetic/Folder {:02}/Note {number:05}.md", number % 20);
        seed.add_document(Document::new(&path, owner, &text));
    }
    seed
}

/// Four sections of four sentences to a paragraph: about 250 words.
fn text(number: usize) -> String {
    let mut state = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move |most: usize| {
        // xorshift64*: plenty for choosing words.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap_or(0) % most
    };
    let mut text = format!("# Note {number:05}: {} and {}\n", WORDS[next(64)], WORDS[next(64)]);
    for _ in 0..4 {
        text.push_str(&format!("\n## {} {}\n\n", WORDS[next(64)], WORDS[next(64)]));
        for _ in 0..5 {
            let sentence = format!(
                "The {} {} of the {} {} the {} {}, and the {} waits for {} {}. ",
                WORDS[next(64)],
                WORDS[next(64)],
                WORDS[next(64)],
                VERBS[next(12)],
                WORDS[next(64)],
                WORDS[next(64)],
                WORDS[next(64)],
                WORDS[next(64)],
                next(900) + 100,
            );
            text.push_str(&sentence);
        }
        text.push('\n');
    }
    text
}
