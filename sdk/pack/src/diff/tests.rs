//! Each kind of change, made in a real manifest, forwards and backwards.

use serde_json::json;

use super::{Change, diff, widens};
use crate::describe;
use crate::manifest::Manifest;
use crate::sealed::ConnectorFile;
use crate::signature::PublisherKey;
use crate::testing::describe_all;

const DRIVE: &str = include_str!("../../tests/fixtures/google-drive.connector.toml");
const TRELLO: &str = include_str!("../../tests/fixtures/trello.connector.toml");

fn file(text: &str) -> ConnectorFile {
    let manifest = Manifest::from_toml(text).unwrap_or_else(|error| panic!("{error}"));
    let names =
        describe_all(&manifest).replace("\"role\":", "\"list_id\":{},\"card_id\":{},\"organization_id\":{},\"role\":");
    let tools = describe::read(&names, &manifest).unwrap_or_else(|error| panic!("{error}"));
    let (exports, imports) = (Vec::new(), Vec::new());
    ConnectorFile {
        manifest,
        tools,
        exports,
        imports,
        packer: "0".into(),
        publisher: None,
        size: 0,
        digest: String::new(),
    }
}

/// Changes as `! + line` if wider, `  + line` if not.
fn lines(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| format!("{} {}", if change.wider { '!' } else { ' ' }, change.line)).collect()
}

/// What an edit of a manifest comes to, and what taking it back does.
fn both_ways(text: &str, from: &str, to: &str) -> (Vec<String>, Vec<String>) {
    assert!(text.contains(from), "{from}");
    let (old, new) = (file(text), file(&text.replacen(from, to, 1)));
    (lines(&diff(&old, &new)), lines(&diff(&new, &old)))
}

type Case<'c> = (&'c str, &'c str, &'c str, &'c [&'c str], &'c [&'c str]);

fn check(cases: &[Case<'_>]) {
    for (text, from, to, forwards, backwards) in cases {
        let (there, back) = both_ways(text, from, to);
        assert_eq!(there, *forwards, "{from} → {to}");
        assert_eq!(back, *backwards, "{to} → {from}");
    }
}

#[test]
fn the_same_version_differs_in_nothing() {
    for text in [DRIVE, TRELLO] {
        assert_eq!(diff(&file(text), &file(text)), []);
    }
}

#[test]
fn what_a_connector_is_and_where_it_goes() {
    check(&[
        (
            DRIVE,
            "version = \"0.1.0\"",
            "version = \"0.2.0\"",
            &["  ~ version 0.1.0 → 0.2.0"],
            &["  ~ version 0.2.0 → 0.1.0"],
        ),
        (
            DRIVE,
            "\"Google Drive\"",
            "\"Drive\"",
            &["  ~ name Google Drive → Drive"],
            &["  ~ name Drive → Google Drive"],
        ),
        (DRIVE, "\"google\"", "\"gogle\"", &["! ~ provider google → gogle"], &["! ~ provider gogle → google"]),
        (
            DRIVE,
            "[http]",
            "cdn = { url = \"https://cdn.example\", credentials = true }\n[http]",
            &["! + origin cdn https://cdn.example receives credentials"],
            &["  - origin cdn https://cdn.example"],
        ),
        (
            DRIVE,
            "headers = [\"range\"]",
            "headers = [\"range\", \"if-match\"]",
            &["! + header that requests may carry: if-match"],
            &["  - header that requests may carry: if-match"],
        ),
        (
            DRIVE,
            "headers = [\"range\"]",
            "fixed = { x-mode = \"all\" }\nheaders = [\"range\"]",
            &["! + header on every request with credentials x-mode: all"],
            &["  - header on every request with credentials x-mode: all"],
        ),
        (
            DRIVE,
            ", \"quotaUser\"]",
            "]",
            &["! - parameter refused as a credential: quotaUser"],
            &["  + parameter refused as a credential: quotaUser"],
        ),
        (
            TRELLO,
            "\"client_secret\", \"key\"]",
            "\"client_secret\", \"key\", \"tenant\"]",
            &["! + field of the registered client: tenant"],
            &["  - field of the registered client: tenant"],
        ),
        (
            TRELLO,
            "[[auth]]",
            "[[setting]]\nkey = \"plan\"\nchoices = [\"free\", \"paid\"]\ndefault = \"free\"\n[[auth]]",
            &["  + setting plan: free, paid, by default free"],
            &["  - setting plan: free, paid, by default free"],
        ),
    ]);
    let (there, back) = both_ways(
        DRIVE,
        "com\", credentials = true }",
        "com\", credentials = true }\ncdn = { url = \"https://cdn.example\", credentials = false }",
    );
    assert_eq!(there, ["! + origin cdn https://cdn.example receives no credentials"]);
    assert_eq!(back, ["  - origin cdn https://cdn.example"]);
}

#[test]
fn where_an_origin_moves_or_its_credentials_go() {
    let open = DRIVE.replacen("[http]", "cdn = { url = \"https://cdn.example\", credentials = false }\n[http]", 1);
    check(&[
        (
            &open,
            "cdn.example\", credentials = false",
            "cdn.example\", credentials = true",
            &[
                "! ~ origin cdn https://cdn.example receives credentials (was https://cdn.example receives no credentials)",
            ],
            &[
                "  ~ origin cdn https://cdn.example receives no credentials (was https://cdn.example receives credentials)",
            ],
        ),
        (
            &open,
            "https://cdn.example",
            "https://cdn.test",
            &[
                "! ~ origin cdn https://cdn.test receives no credentials (was https://cdn.example receives no credentials)",
            ],
            &[
                "! ~ origin cdn https://cdn.example receives no credentials (was https://cdn.test receives no credentials)",
            ],
        ),
    ]);
}

#[test]
fn ways_to_connect() {
    let token = "[[auth]]\nid = \"pasted\"\ntype = \"token\"\nowner = \"person\"\n[[auth.credential]]\nslot = \"user\"\ninject = { origins = [\"api\"], header = \"authorization\", value = \"Bearer {token}\" }\n";
    let (there, back) = both_ways(TRELLO, "[[capability]]", &format!("{token}[[capability]]"));
    let added = [
        "! + way to connect pasted for a person",
        "! + secret user of pasted",
        "! + origin that receives user of pasted: api",
    ];
    assert_eq!(there, added);
    assert_eq!(back, ["  - way to connect pasted"]);
    let pasted = TRELLO.replacen("[[capability]]", &format!("{token}[[capability]]"), 1);
    let labelled = "type = \"token\"\nlabel = \"Your token\"";
    let words: &[&str] = &["  ~ way to connect pasted: the token is asked for in other words"];
    check(&[(&pasted, "type = \"token\"\n", &format!("{labelled}\n"), words, words)]);
    let other: &[&str] = &["! ~ way to connect oauth: other endpoints, or asks them otherwise"];
    let attached: &[&str] = &["! ~ secret user of oauth: obtained or attached otherwise"];
    check(&[
        (TRELLO, "com/oauth/token\"", "com/oauth/tokens\"", other, other),
        (TRELLO, "rotates = true\n", "", attached, attached),
        (
            TRELLO,
            "[\"offline_access\"]",
            "[\"offline_access\", \"admin\"]",
            &["! + scope that oauth always asks for: admin"],
            &["  - scope that oauth always asks for: admin"],
        ),
        (
            DRIVE,
            "owner = \"workspace\"",
            "owner = \"person\"",
            &["! ~ way to connect service-account is for a person (was workspace)"],
            &["! ~ way to connect service-account is for a workspace (was person)"],
        ),
    ]);
    let two = DRIVE.replacen("[http]", "cdn = { url = \"https://cdn.example\", credentials = true }\n[http]", 1);
    check(&[(
        &two,
        "origins = [\"api\"], header",
        "origins = [\"api\", \"cdn\"], header",
        &["! + origin that receives user of oauth: cdn"],
        &["  - origin that receives user of oauth: cdn"],
    )]);
}

#[test]
fn capabilities_and_their_routes() {
    let added = "[[capability]]\nid = \"files.write\"\naccess = \"write\"\nsummary = \"Change files\"\nslots = [\"user\"]\nroutes = [{ match = \"PATCH {api}/drive/v3/files/{id}\", keys = [\"name\"] }]\n\n[[tool]]";
    check(&[
        (
            DRIVE,
            "[[tool]]",
            added,
            &[
                "! + capability files.write (write): Change files",
                "! + route PATCH {api}/drive/v3/files/{id} carrying name in files.write",
            ],
            &["  - capability files.write (write): Change files"],
        ),
        (
            DRIVE,
            "summary = \"Share a file with somebody\"",
            "summary = \"Share\"",
            &["  ~ capability files.share says \"Share\", and said \"Share a file with somebody\""],
            &["  ~ capability files.share says \"Share a file with somebody\", and said \"Share\""],
        ),
        (
            DRIVE,
            "[\"https://www.googleapis.com/auth/drive.file\"]",
            "[\"https://www.googleapis.com/auth/drive.file\", \"https://www.googleapis.com/auth/drive\"]",
            &["! + scope of files.create for user: https://www.googleapis.com/auth/drive"],
            &["  - scope of files.create for user: https://www.googleapis.com/auth/drive"],
        ),
        (
            TRELLO,
            "\"GET {api}/1/search\",",
            "\"GET {api}/1/search\", \"GET {api}/1/members/{id}\",",
            &["! + route GET {api}/1/members/{id} in boards.read"],
            &["  - route GET {api}/1/members/{id} in boards.read"],
        ),
        (
            TRELLO,
            "keys = [\"name\", \"idBoard\", \"pos\"]",
            "keys = [\"name\", \"idBoard\", \"pos\", \"closed\"]",
            &["! ~ route POST {api}/1/lists in boards.write: carries closed as well"],
            &["  ~ route POST {api}/1/lists in boards.write: no longer carries all of closed"],
        ),
        (
            TRELLO,
            "keys = [\"name\", \"idBoard\", \"pos\"], bind = [\"idBoard\"]",
            "bind = [\"idBoard\"]",
            &["! ~ route POST {api}/1/lists in boards.write: carries any parameters"],
            &["  ~ route POST {api}/1/lists in boards.write: carries name, idBoard, pos only"],
        ),
        (
            TRELLO,
            ", bind = [\"idBoard\"]",
            "",
            &["! ~ route POST {api}/1/lists in boards.write: idBoard is no longer bound"],
            &["  ~ route POST {api}/1/lists in boards.write: idBoard is bound"],
        ),
        (
            TRELLO,
            "keys = [\"name\", \"desc\", \"due\", \"idList\", \"pos\"], bind = [\"{id}\", \"idList\"], repeat = \"safe\"",
            "keys = [\"name\", \"desc\", \"due\", \"idList\", \"pos\"], bind = [\"{id}\", \"idList\"]",
            &[
                "  ~ route PUT {api}/1/cards/{id} in boards.write: a write of unknown outcome may be repeated: safe → never",
            ],
            &[
                "! ~ route PUT {api}/1/cards/{id} in boards.write: a write of unknown outcome may be repeated: never → safe",
            ],
        ),
        (
            DRIVE,
            "role = [\"reader\", \"commenter\", \"writer\"]",
            "role = [\"reader\", \"commenter\", \"writer\", \"owner\"]",
            &[
                "! ~ route POST {api}/drive/v3/files/{id}/permissions in files.share: role is one of reader, commenter, writer, owner (was reader, commenter, writer)",
            ],
            &[
                "  ~ route POST {api}/drive/v3/files/{id}/permissions in files.share: role is one of reader, commenter, writer (was reader, commenter, writer, owner)",
            ],
        ),
        (
            DRIVE,
            "values = { type = [\"user\", \"group\", \"domain\"], role",
            "values = { role",
            &["! ~ route POST {api}/drive/v3/files/{id}/permissions in files.share: type may have any value"],
            &[
                "  ~ route POST {api}/drive/v3/files/{id}/permissions in files.share: type must be one of user, group, domain",
            ],
        ),
        (
            TRELLO,
            "\"GET {api}/1/search\",",
            "{ match = \"GET {api}/1/search\", credentials = false },",
            &["  ~ route GET {api}/1/search in boards.read: carries no credential any more"],
            &["! ~ route GET {api}/1/search in boards.read: carries the credential"],
        ),
    ]);
}

#[test]
fn what_reads_and_is_said_to_write_or_the_other_way_is_looked_at() {
    // Nothing uses it, so that the manifest stays one.
    let spare = "[[capability]]\nid = \"spare\"\naccess = \"read\"\nsummary = \"Spare\"\nslots = [\"user\"]\nroutes = [{ match = \"POST {api}/spare\", keys = [\"q\"] }]\n\n[[tool]]";
    let text = DRIVE.replacen("[[tool]]", spare, 1);
    check(&[(
        &text,
        "access = \"read\"\nsummary = \"Spare\"",
        "access = \"write\"\nsummary = \"Spare\"",
        &["! ~ capability spare access read → write"],
        &["! ~ capability spare access write → read"],
    )]);
}

#[test]
fn one_route_of_several_is_enough_for_a_narrower_one() {
    let two = "{ match = \"PUT {api}/1/cards/{id}\", keys = [\"due\"], bind = [\"{id}\"] },\n  { match = \"PUT {api}/1/cards/{id}\", keys = [\"name\"";
    let (there, back) = both_ways(TRELLO, "{ match = \"PUT {api}/1/cards/{id}\", keys = [\"name\"", two);
    assert!(there.iter().any(|line| line.contains("idList is no longer bound")), "{there:?}");
    assert_eq!(back, Vec::<String>::new(), "a route that is gone beside one of its template takes away only");
}

#[test]
fn tools_and_how_they_describe_themselves() {
    check(&[
        (
            TRELLO,
            "max_writes = 120",
            "max_writes = 121",
            &["! ~ tool create_board max_writes 120 → 121"],
            &["  ~ tool create_board max_writes 121 → 120"],
        ),
        (
            TRELLO,
            "capabilities = [\"cards.archive\"]\neffect = \"destructive\"",
            "capabilities = [\"cards.archive\"]\neffect = \"write\"",
            &["! ~ tool archive_card effect destructive → write"],
            &["! ~ tool archive_card effect write → destructive"],
        ),
        (
            TRELLO,
            "capabilities = [\"cards.archive\"]",
            "capabilities = [\"cards.archive\", \"boards.read\"]",
            &["! + capability of the tool archive_card: boards.read"],
            &["  - capability of the tool archive_card: boards.read"],
        ),
        (
            TRELLO,
            "control = [\"/list_id\"]",
            "control = []",
            &["! - argument of create_card that must come from the person's words: /list_id"],
            &["  + argument of create_card that must come from the person's words: /list_id"],
        ),
        (
            TRELLO,
            "destination = { argument = \"/list_id\", is = \"container\" }\n",
            "",
            &["  ~ tool create_card destination {\"argument\":\"/list_id\",\"is\":\"container\"} → unknown"],
            &["! ~ tool create_card destination unknown → {\"argument\":\"/list_id\",\"is\":\"container\"}"],
        ),
        (
            TRELLO,
            "[sync]",
            "[[tool]]\nname = \"read_board\"\ncapabilities = [\"boards.read\"]\neffect = \"read\"\n\n[sync]",
            &["! + tool read_board (read) by boards.read"],
            &["  - tool read_board (read)"],
        ),
        (
            DRIVE,
            "capabilities = [\"files.read\"]\neffect = \"read\"",
            "capabilities = [\"files.create\"]\neffect = \"write\"\nmax_writes = 1",
            &[
                "! ~ tool search_files effect read → write",
                "! + capability of the tool search_files: files.create",
                "  - capability of the tool search_files: files.read",
                "! ~ tool search_files max_writes 0 → 1",
            ],
            &[
                "  ~ tool search_files effect write → read",
                "! + capability of the tool search_files: files.read",
                "  - capability of the tool search_files: files.create",
                "  ~ tool search_files max_writes 1 → 0",
            ],
        ),
    ]);
    let (old, mut new) = (file(DRIVE), file(DRIVE));
    new.tools[0].title = "Another".into();
    new.tools[0].input["required"] = json!(["with"]);
    new.tools[0].output = Some(json!({ "type": "object" }));
    let said = [
        "  ~ tool search_files describes itself otherwise",
        "  ~ tool search_files takes other arguments",
        "  ~ tool search_files answers otherwise",
    ];
    assert_eq!(lines(&diff(&old, &new)), said);
}

#[test]
fn syncs_limits_answers_and_deliveries() {
    let changed: &[&str] = &["! ~ webhook: deliveries or subscriptions are judged otherwise"];
    check(&[
        (
            DRIVE,
            "interval = \"5m\"",
            "interval = \"1m\"",
            &["  ~ sync every 1m, sweep every 7d (was 5m and 7d)"],
            &["  ~ sync every 5m, sweep every 7d (was 1m and 7d)"],
        ),
        (
            DRIVE,
            "sweep = \"7d\"",
            "sweep = \"7d\"\naccess = \"connection-audience\"",
            &["! ~ who may read what a sync brings is said by: provider → connection-audience"],
            &["! ~ who may read what a sync brings is said by: connection-audience → provider"],
        ),
        (
            DRIVE,
            "\"200/10s\"",
            "\"400/10s\"",
            &[
                "  + rate limit 400/10s per client and connection for * {api}/**",
                "  - rate limit 200/10s per client and connection for * {api}/**",
            ],
            &[
                "  + rate limit 200/10s per client and connection for * {api}/**",
                "  - rate limit 400/10s per client and connection for * {api}/**",
            ],
        ),
        (
            TRELLO,
            ", \"API_TOKEN_DB_LIMIT_EXCEEDED\"]",
            "]",
            &[
                "  - answer after which a request is sent again: rate limited: API_TOKEN_DB_LIMIT_EXCEEDED from api ({\"status\":[429],\"code\":\"/error\"})",
            ],
            &[
                "! + answer after which a request is sent again: rate limited: API_TOKEN_DB_LIMIT_EXCEEDED from api ({\"status\":[429],\"code\":\"/error\"})",
            ],
        ),
        (
            TRELLO,
            ", \"expired token\"]",
            "]",
            &[
                "  - answer that means authorise again: expired token from api ({\"status\":[400,401,404],\"text\":true})",
            ],
            &[
                "  + answer that means authorise again: expired token from api ({\"status\":[400,401,404],\"text\":true})",
            ],
        ),
        (TRELLO, "dedupe = \"/action/id\"", "dedupe = \"/action/date\"", changed, changed),
    ]);
    let (old, new) = (file(DRIVE), file(DRIVE));
    let without = |mut file: ConnectorFile| {
        (file.manifest.sync, file.manifest.webhook) = (None, None);
        file
    };
    let gone = without(new);
    assert_eq!(lines(&diff(&old, &gone)), ["  - sync by files.read", "  - webhook"]);
    let gained = ["! + sync by files.read", "! + webhook: the service announces changes"];
    assert_eq!(lines(&diff(&gone, &old)), gained);
}

#[test]
fn another_publisher_is_another_connector() {
    let with = |seed: Option<u8>| {
        let publisher = seed.map(|seed| PublisherKey::from_seed(&[seed; 32]).publisher());
        ConnectorFile { publisher, ..file(DRIVE) }
    };
    assert!(!widens(&diff(&with(None), &with(Some(1)))), "an unsigned connector may become signed");
    assert!(widens(&diff(&with(Some(1)), &with(Some(2)))));
    assert!(widens(&diff(&with(Some(1)), &with(None))));
}

#[test]
fn a_line_is_one_line_and_speaks_to_no_terminal() {
    let (old, mut new) = (file(DRIVE), file(DRIVE));
    new.manifest.connector.name = "Drive\n  - nothing\u{1b}[2J".into();
    assert_eq!(lines(&diff(&old, &new)), ["  ~ name Google Drive → Drive\u{fffd}  - nothing\u{fffd}[2J"]);
}
