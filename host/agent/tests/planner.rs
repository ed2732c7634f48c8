//! The embedded planner over documents, tools and requests of many shapes; names are drawn at random, so that nothing
//! can be fitted to them.

mod common;

use common::{ANN, Bench, ask};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use sallyport::tool::OfferedTool;
use sallyport::tool::{ToolDestination, ToolEffect, Verdict};
use sallyport_agent::testing::{Behaviour, Shelf, Toolbox, offered};
use sallyport_agent::{AgentEvent, Mind};
use serde_json::{Value, json};

fn board_tool(connector: &str) -> OfferedTool {
    let input = json!({"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
        "name": {"type": "string", "maxLength": 160},
        "description": {"type": ["string", "null"]},
        "organization_id": {"type": ["string", "null"]},
        "lists": {"type": "array", "items": {"$ref": "#/$defs/List"}}},
        "$defs": {
            "List": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
                "name": {"type": "string"}, "cards": {"type": "array", "items": {"$ref": "#/$defs/Card"}}}},
            "Card": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
                "name": {"type": "string"}, "description": {"type": "string"},
                "due": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}}}}});
    let mut tool = offered(connector, "con_boards", "create_board", "Create a board", input);
    tool.description = "Creates a board with its lists and their cards.".into();
    tool.control = vec!["/organization_id".into()];
    tool
}

fn card_tool() -> OfferedTool {
    let input = json!({"type": "object", "required": ["list_id", "name"], "additionalProperties": false, "properties": {
        "list_id": {"type": "string", "description": "The list's id"},
        "name": {"type": "string"}, "description": {"type": "string"}, "due": {"type": "string", "format": "date"}}});
    let mut tool = offered("trello", "con_boards", "create_card", "Create a card", input);
    tool.destination = ToolDestination::Container("/list_id".into());
    tool.control = vec!["/list_id".into()];
    tool
}

fn archive_tool() -> OfferedTool {
    let input = json!({"type": "object", "required": ["card_id"], "additionalProperties": false,
        "properties": {"card_id": {"type": "string"}}});
    let mut tool = offered("trello", "con_boards", "archive_card", "Archive a card", input);
    tool.effect = ToolEffect::Destructive;
    tool.destination = ToolDestination::Document("/card_id".into());
    tool.control = vec!["/card_id".into()];
    tool
}

fn toolbox() -> Toolbox {
    let writes = Behaviour::Writes(json!({"id": "new"}));
    Toolbox::new([board_tool("trello"), card_tool(), archive_tool()].map(|tool| (tool, writes.clone())))
}

fn bench(shelf: Shelf) -> Bench {
    Bench::new(shelf, toolbox(), Mind::Embedded)
}

/// The only call that a request leads to.
async fn call(bench: &Bench, request: &str) -> (String, Value, Verdict) {
    let before = bench.tools.calls().len();
    let said = bench.said(request).await;
    let calls = bench.tools.calls();
    assert_eq!(calls.len(), before + 1, "{request}: {said}");
    let call = calls.into_iter().next_back().expect("counted above");
    (call.tool.as_str().to_owned(), call.arguments, call.verdict)
}

fn outline(value: &Value) -> Vec<(String, Vec<String>)> {
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let lists = value["lists"].as_array().cloned().unwrap_or_default();
    let cards =
        |list: &Value| list["cards"].as_array().map(|cards| cards.iter().map(name).collect()).unwrap_or_default();
    lists.iter().map(|list| (name(list), cards(list))).collect()
}

/// Made-up words that no rule can know.
fn word() -> String {
    let mut rng = rand::rng();
    let syllables = ["ka", "lo", "mi", "ren", "tu", "vax", "zel", "bor", "dim", "fe", "gan", "hul"];
    let word: String = (0..rng.random_range(2..4)).filter_map(|_| syllables.choose(&mut rng).copied()).collect();
    word[..1].to_uppercase() + &word[1..]
}

#[tokio::test]
async fn a_team_gets_its_own_tasks_of_a_strategy_and_no_others() {
    let text = "# Q4 Strategy\n\nWhere we go in Q4 2026. Marketing and sales work together.\n\n\
        ## Goals\n\n- Grow revenue by 20 %\n\n\
        ## Sales\n\n### Pipeline\n\n- **Call lapsed customers**: with marketing's list\n\n\
        ## Marketing\n\nThe team owns demand.\n\n### Brand\n\n\
        - **Refresh the website**: new copy for the landing page, due 15 October\n- Publish two case studies by 2026-11-05. With legal's approval.\n\n\
        ### Launch\n\n1. Brief the agency (due 3 November)\n2. Book the venue\n   - for 80 people\n\n### Budget\n\n- 40,000 for ads\n\n\
        ## Engineering\n\n- Rewrite the importer\n";
    let mut shelf = Shelf::default();
    shelf.put("Q4 Strategy", text, &[ANN]);
    shelf.put("Q4 hiring plan", "# Q4 hiring plan\n\n## Marketing\n\n- Hire a writer\n", &[ANN]);
    let bench = bench(shelf);
    for request in [
        "Based on the Q4 strategy doc in Google Drive, create a new Trello board with tasks for the marketing team.",
        "Create a Trello board with tasks for the marketing team based on the Q4 strategy doc",
        "please make a board for marketing from the Q4 strategy document, with its tasks",
    ] {
        let (tool, arguments, verdict) = call(&bench, request).await;
        assert_eq!(tool, "create_board");
        let expected = [
            ("Brand", vec!["Refresh the website", "Publish two case studies by 2026-11-05"]),
            ("Launch", vec!["Brief the agency", "Book the venue"]),
        ];
        let expected =
            expected.map(|(list, cards)| (list.to_owned(), cards.into_iter().map(String::from).collect::<Vec<_>>()));
        assert_eq!(outline(&arguments), expected, "{request}");
        assert_eq!(arguments["name"], "Q4 Strategy: Marketing");
        assert_eq!(arguments.get("organization_id"), None);
        let card = |list: usize, card: usize| arguments["lists"][list]["cards"][card].clone();
        assert_eq!(card(0, 0)["description"], "new copy for the landing page, due 15 October");
        assert_eq!(card(0, 0)["due"], "2026-10-15T12:00:00Z");
        assert_eq!(card(0, 1)["due"], "2026-11-05T12:00:00Z");
        assert_eq!(card(0, 1)["description"], "With legal's approval.");
        assert_eq!(card(1, 0)["due"], "2026-11-03T12:00:00Z");
        assert_eq!(card(1, 1)["description"], "- for 80 people");
        assert_eq!(card(1, 1).get("due"), None);
        let Verdict::Ask(reasons) = verdict else { panic!("a document's text asks: {verdict:?}") };
        assert!(reasons.iter().any(|reason| reason.contains("*Q4 Strategy*, an untrusted document")), "{reasons:?}");
    }
    let context = bench.tools.calls()[0].context.clone().expect("a context");
    assert_eq!(context["planner"], "embedded");
    assert_eq!(context["sources"][0]["title"], "Q4 Strategy");
    let provenance = context["provenance"].as_array().expect("provenance");
    assert!(provenance.iter().any(|p| p["at"] == "/lists/0/cards/0/name" && p["from"] == "document"), "{provenance:?}");
}

#[tokio::test]
async fn any_team_of_any_document_in_any_shape_of_it() {
    for _ in 0..20 {
        let (project, ours, theirs) = (word(), word(), word());
        let tasks: Vec<String> = (0..4).map(|_| format!("{} the {}", word(), word())).collect();
        let other = format!("{} the {}", word(), word());
        if ours == theirs || ours == project || theirs == project {
            continue;
        }
        let t = &tasks;
        let shapes = [
            // Sub-sections, and a section of the same name in none of them.
            format!(
                "## {theirs}\n\n- {other}\n\n## {ours}\n\n### One\n\n- {}\n- {}\n\n### Two\n\n- {}\n- {}\n",
                t[0], t[1], t[2], t[3]
            ),
            // No sub-sections.
            format!(
                "## {ours} team\n\n* {}\n* {}\n* {}\n* {}\n\n## {theirs} team\n\n* {other}\n",
                t[0], t[1], t[2], t[3]
            ),
            // A table.
            format!(
                "| Task | Team | Due |\n|---|---|---|\n| {} | {ours} | |\n| {} | {ours} | 3 May 2027 |\n| {other} | {theirs} | |\n| {} | {ours} | |\n| {} | {ours} | |\n",
                t[0], t[1], t[2], t[3]
            ),
            // Tags on items.
            format!(
                "- {} ({ours})\n- {other} ({theirs})\n- {} ({ours})\n- {} ({ours})\n- {} ({ours})\n",
                t[0], t[1], t[2], t[3]
            ),
            // The same heading under several others.
            format!(
                "## May\n\n### {ours}\n\n- {}\n- {}\n\n### {theirs}\n\n- {other}\n\n## June\n\n### {ours}\n\n- {}\n- {}\n",
                t[0], t[1], t[2], t[3]
            ),
        ];
        for (number, text) in shapes.iter().enumerate() {
            let mut shelf = Shelf::default();
            shelf.put(&format!("{project} roadmap"), text, &[ANN]);
            let bench = bench(shelf);
            let request = format!("Based on the {project} roadmap, make a board with the tasks for the {ours} team");
            let (_, arguments, _) = call(&bench, &request).await;
            let cards: Vec<String> = outline(&arguments).into_iter().flat_map(|(_, cards)| cards).collect();
            assert_eq!(cards, tasks, "shape {number}: {request}\n{text}\n{arguments:#}");
            if number == 2 {
                assert_eq!(arguments["lists"][0]["cards"][1]["due"], "2027-05-03T12:00:00Z");
            }
            if number == 4 {
                let lists: Vec<String> = outline(&arguments).into_iter().map(|(list, _)| list).collect();
                assert_eq!(lists, ["May", "June"]);
            }
        }
    }
}

#[tokio::test]
async fn a_file_is_called_by_its_name_without_the_ending() {
    let mut shelf = Shelf::default();
    shelf.put("Zorka plan.md", "# Zorka plan\n\n## Pilots\n\n- Check the flaps\n- Fill the tanks\n", &[ANN]);
    let bench = bench(shelf);
    let (_, arguments, _) =
        call(&bench, "Based on the Zorka plan doc, create a board with tasks for the pilots team").await;
    assert_eq!(outline(&arguments)[0].1, ["Check the flaps", "Fill the tanks"]);
    assert_eq!(arguments["name"], "Zorka plan: Pilots");
}

#[tokio::test]
async fn one_list_for_each_phase_of_a_checklist() {
    let text = "# Onboarding checklist\n\nFor everybody who joins.\n\n## Phase 1: Before day one\n\n- Send the laptop\n- Create accounts\n\n\
        ## Phase 2: First week\n\n- Meet the team\n- Read the handbook\n\n## Contacts\n\n- IT: it@acme.test\n";
    let mut shelf = Shelf::default();
    shelf.put("Onboarding checklist", text, &[ANN]);
    let bench = bench(shelf);
    let (_, arguments, _) =
        call(&bench, "From the onboarding checklist, make a board called 'Onboarding Q1' with one list per phase")
            .await;
    assert_eq!(arguments["name"], "Onboarding Q1");
    let lists: Vec<_> = outline(&arguments).into_iter().map(|(list, cards)| (list, cards.len())).collect();
    assert_eq!(lists, [("Phase 1: Before day one".to_owned(), 2), ("Phase 2: First week".to_owned(), 2)]);
}

#[tokio::test]
async fn lines_above_lists_columns_and_owners_divide_a_document_too() {
    let checklist = "# Joining us\n\nBefore the first day\n- Laptop ordered (Ines)\n- Accounts\n\nFirst day\n- Keys, lunch, a walk\n";
    let releases = "| Item | Status | Owner |\n|---|---|---|\n| Offline mode | Doing | Grace |\n| Import | Next | Emma |\n| Alerts | Doing | Emma |\n";
    let plan = "## Sales\n\n- **Price list** – three plans. Owner: Dmitri Volkov. Due: 2026-11-12.\n- Roadshow. Owner: Ines Prado.\n\n\
        ## Support\n\n- **Stock** – 600 boxes. Owner: Ines Prado. Due: 13 November.\n";
    let mut shelf = Shelf::default();
    shelf.put("Joining us", checklist, &[ANN]);
    shelf.put("Release items", releases, &[ANN]);
    shelf.put("Autumn plan 2026", plan, &[ANN]);
    let bench = bench(shelf);
    let own = |lists: &[(&str, &[&str])]| -> Vec<(String, Vec<String>)> {
        lists
            .iter()
            .map(|(list, cards)| (list.to_string(), cards.iter().map(|card| card.to_string()).collect()))
            .collect()
    };
    let (_, arguments, _) =
        call(&bench, "From the 'Joining us' checklist make a board called 'New people' with one list per step").await;
    assert_eq!(
        outline(&arguments),
        own(&[("Before the first day", &["Laptop ordered", "Accounts"]), ("First day", &["Keys, lunch, a walk"])])
    );
    assert_eq!(arguments["lists"][0]["cards"][0]["description"], "Ines");
    let (_, arguments, _) = call(&bench, "Create a board named Releases with cards from the release items sheet").await;
    assert_eq!(outline(&arguments), own(&[("Doing", &["Offline mode", "Alerts"]), ("Next", &["Import"])]));
    assert_eq!(arguments["lists"][1]["cards"][0]["description"], "Status: Next\nOwner: Emma");
    let (_, arguments, _) = call(&bench, "Turn the release items into a board").await;
    assert_eq!((arguments["name"].as_str(), outline(&arguments).len()), (Some("Release items"), 2));
    let (_, arguments, _) = call(&bench, "Make a board with the tasks for Ines from the autumn plan").await;
    assert_eq!(arguments["name"], "Autumn plan 2026: Ines");
    assert_eq!(outline(&arguments), own(&[("Sales", &["Roadshow"]), ("Support", &["Stock"])]));
    assert_eq!(arguments["lists"][1]["cards"][0]["due"], "2026-11-13T12:00:00Z");
}

#[tokio::test]
async fn a_named_list_is_looked_up_and_counts_as_the_users_word() {
    let mut shelf = Shelf::default();
    shelf.place("list", "Backlog", "l-platform", &["Platform"], "con_boards", &[ANN]);
    shelf.place("list", "Backlog", "l-website", &["Website"], "con_boards", &[ANN]);
    shelf.place("list", "Backlog", "l-hidden", &["Platform"], "con_boards", &["bo@acme.test"]);
    shelf.place("list", "Backlog", "l-elsewhere", &["Platform"], "con_other", &[ANN]);
    shelf.place("card", "Backlog", "c-1", &["Platform"], "con_boards", &[ANN]);
    let bench = bench(shelf);
    for request in [
        "Create a card 'Renew the TLS certificates' in the list 'Backlog' of board 'Platform'",
        "add a card called \"Renew the TLS certificates\" to the Backlog list on Platform",
        "Could you add a card 'Renew the TLS certificates' to Backlog on the Platform board, please?",
    ] {
        let (tool, arguments, verdict) = call(&bench, request).await;
        assert_eq!(tool, "create_card", "{request}");
        assert_eq!(arguments, json!({"list_id": "l-platform", "name": "Renew the TLS certificates"}), "{request}");
        // Only the audience is open: the id counts as said.
        let Verdict::Ask(reasons) = verdict else { panic!("an unknown audience asks") };
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert!(reasons[0].contains("not known"));
    }
    let said = bench.said("Create a card 'Renew' in the list 'Backlog'").await;
    assert!(
        said.contains("which list called \"Backlog\"") && said.contains("Platform") && said.contains("Website"),
        "{said}"
    );
    let said = bench.said("Create a card 'Renew' in the list 'Frontlog'").await;
    assert!(said.contains("a list called \"Frontlog\""), "{said}");
    assert_eq!(bench.tools.calls().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_filled_is_asked_for_and_nothing_is_made_up() {
    let mut shelf = Shelf::default();
    shelf.put("Q4 Strategy", "## Marketing\n\n- Refresh the website\n", &[ANN]);
    shelf.put("Empty page", "Nothing to do.\n", &[ANN]);
    shelf.put("Salaries 2027", "## Legal\n\n- Pay\n", &["bo@acme.test"]);
    let bench = bench(shelf);
    let cases = [
        ("Create a board", "the name"),
        (
            "Based on the Q4 strategy doc, create a board with tasks for the legal team",
            "no part for \"the legal team\"",
        ),
        ("Based on the salaries 2027 doc, create a board with tasks for the legal team", "none that you may read"),
        ("Create a board 'X' with tasks for the marketing team", "the document that holds them"),
        ("From the empty page, create a board", "no list of them in \"Empty page\""),
        ("Create a card 'X'", "which list"),
        ("Archive the card 'Nowhere'", "a card called \"Nowhere\""),
        ("Delete the universe", "matches none"),
        ("Create an invoice for Globex", "matches none"),
    ];
    for (request, part) in cases {
        let said = bench.said(request).await;
        assert!(said.contains(part), "{request}: {said}");
        assert!(said.contains("No model is configured"), "{said}");
    }
    assert_eq!(bench.tools.calls().len(), 0);
}

#[tokio::test]
async fn other_tools_of_other_shapes_are_filled_the_same_way() {
    let message = json!({"type": "object", "required": ["channel", "text"], "properties": {
        "channel": {"type": "string"}, "text": {"type": "string"}}});
    let mut post = offered("slack", "con_chat", "post_message", "Post a message", message);
    post.destination = ToolDestination::Container("/channel".into());
    post.control = vec!["/channel".into()];
    let ticket = json!({"type": "object", "required": ["title", "priority", "project_key"], "properties": {
        "title": {"type": "string"}, "priority": {"enum": ["low", "high", "urgent"]}, "estimate": {"type": "integer"},
        "confidential": {"type": "boolean"}, "due_date": {"type": "string", "format": "date"}, "project_key": {"type": "string"},
        "labels": {"type": "array", "items": {"type": "string"}}}});
    let ticket = offered("tracker", "con_tracker", "open_ticket", "Open a ticket", ticket);
    let survey = json!({"type": "object", "required": ["title", "questions"], "properties": {
        "title": {"type": "string"}, "questions": {"type": "array", "items": {"type": "object", "required": ["text"],
            "properties": {"text": {"type": "string"}}}}}});
    let survey = offered("forms", "con_forms", "create_survey", "Create a survey", survey);
    let share = json!({"type": "object", "required": ["file_id", "with", "role"], "properties": {
        "file_id": {"type": "string"}, "with": {"type": "string"}, "role": {"enum": ["reader", "writer"]}}});
    let mut share = offered("drive", "con_drive", "share_file", "Share a file", share);
    share.destination = ToolDestination::Principal("/with".into());
    share.control = vec!["/file_id".into(), "/with".into(), "/role".into()];
    let writes = Behaviour::Writes(json!({}));
    let mut shelf = Shelf::default();
    shelf.place("channel", "ops", "C123", &[], "con_chat", &[ANN]);
    shelf.place("project", "Apollo", "APO", &[], "con_tracker", &[ANN]);
    shelf.place("file", "Launch plan", "f-9", &[], "con_drive", &[ANN]);
    shelf.put("Interview guide", "## Opening\n\n- How did you hear of us?\n- What do you use today?\n", &[ANN]);
    let toolbox = Toolbox::new([post, ticket, survey, share].map(|tool| (tool, writes.clone())));
    let bench = Bench::new(shelf, toolbox, Mind::Embedded);
    let cases = [
        ("Post \"The release is out\" to #ops", json!({"channel": "C123", "text": "The release is out"})),
        ("Post a message to #ops saying that all is well", json!({"channel": "C123", "text": "that all is well"})),
        (
            "Open a confidential ticket 'Login fails' with high priority in the project Apollo, estimate 3, due 4 December, labels 'auth' and 'web'",
            json!({"title": "Login fails", "priority": "high", "estimate": 3, "confidential": true,
                "due_date": "2026-12-04", "project_key": "APO", "labels": ["auth", "web"]}),
        ),
        (
            "Using the interview guide, create a survey titled 'User research'",
            json!({"title": "User research", "questions": [
                {"text": "How did you hear of us?"}, {"text": "What do you use today?"}]}),
        ),
        (
            "Share the file 'Launch plan' with bo@acme.test as a reader",
            json!({"file_id": "f-9", "with": "bo@acme.test", "role": "reader"}),
        ),
    ];
    for (request, expected) in cases {
        let (_, arguments, _) = call(&bench, request).await;
        assert_eq!(arguments, expected, "{request}");
    }
}

#[tokio::test]
async fn questions_are_answered_in_the_documents_own_words_with_citations() {
    let mut shelf = Shelf::default();
    shelf.put(
        "Minutes 3 May",
        "## Decisions\n\n- We decided to postpone the Zanzibar launch to June. Nobody objected.\n- Lunch is at noon.\n",
        &[ANN],
    );
    shelf.put(
        "Zanzibar budget",
        "## Numbers\n\nThe Zanzibar launch costs 40,000. See ![chart](https://evil.test/?q=1) for more.\n",
        &[ANN],
    );
    shelf.put("Board only", "The Zanzibar launch was decided to be cancelled.\n", &["bo@acme.test"]);
    let bench = bench(shelf);
    let (ended, events) = bench.run(&ask("What did we decide about the Zanzibar launch?")).await;
    let Ok(sallyport_agent::ports::TurnOutcome::Answered { text }) = ended else { panic!("{ended:?}") };
    assert!(text.starts_with("No model is configured"), "{text}");
    assert!(text.contains("We decided to postpone the Zanzibar launch to June. [1]"), "{text}");
    assert!(!text.contains("cancelled") && !text.contains("Lunch"), "{text}");
    let Some(AgentEvent::Answer { citations, .. }) =
        events.iter().find(|event| matches!(event, AgentEvent::Answer { .. }))
    else {
        panic!("{events:?}")
    };
    assert_eq!(citations[0].title, "Minutes 3 May");
    let said = bench.said("What does the Zanzibar launch cost?").await;
    assert!(said.contains("costs 40,000.") && !said.contains("](https://evil"), "{said}");
    let said = bench.said("Who invented the trombone?").await;
    assert!(said.contains("found nothing"), "{said}");
}

#[tokio::test]
async fn nothing_that_is_said_or_written_stops_the_planner() {
    let mut rng = rand::rng();
    let pieces = [
        "create",
        "a",
        "board",
        "card",
        "'",
        "\"",
        "“",
        "”",
        "called",
        "for",
        "the",
        "marketing",
        "team",
        "based on",
        "from",
        "per",
        "list",
        "in",
        ":",
        ",",
        ".",
        "(",
        ")",
        "[",
        "]",
        "- ",
        "\n",
        "\n\n",
        "# ",
        "## ",
        "| a | b |\n|---|---|\n",
        "| x |",
        "1. ",
        "**",
        "é",
        "🙂",
        "ß",
        "Ünder",
        "due",
        "31 February",
        "12 November",
        "2026-11-05",
        "end of",
        "Owner: ",
        "@",
        "#ops",
        "…",
        "\u{202e}",
        "<",
        ">",
        "<b>",
        "due:",
        "doc",
        "Plan",
        "archive",
        "?",
        "!",
        "\t",
        "\0",
        "of",
        "one",
        "each",
        "task",
        "tasks",
        "—",
        "0",
    ];
    let mut text = |most: usize| -> String {
        let length = rng.random_range(0..most);
        (0..length).filter_map(|_| pieces.choose(&mut rng).map(|piece| format!("{piece} "))).collect()
    };
    for _ in 0..300 {
        let mut shelf = Shelf::default();
        shelf.put("Plan", &text(60), &[ANN]);
        let title = text(4);
        shelf.put(&title, &text(60), &[ANN]).content = sallyport::document::Content::Text(text(60));
        shelf.place("list", "Plan", "l-1", &[], "con_boards", &[ANN]);
        let bench = bench(shelf);
        for request in [text(25), format!("Based on the Plan doc, create a board with tasks {}", text(12))] {
            let (ended, events) = bench.run(&ask(&request)).await;
            assert!(ended.is_ok() || request.trim().is_empty(), "{request:?}: {ended:?}");
            assert!(matches!(events.last(), Some(AgentEvent::Done { .. } | AgentEvent::Error { .. })));
        }
        for call in bench.tools.calls() {
            assert!(call.context.is_some() && call.verdict != Verdict::Allow, "{call:?}");
        }
    }
}
