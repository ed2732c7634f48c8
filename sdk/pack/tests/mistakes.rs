//! What authors get wrong in a manifest: each mistake is found at its key, with the way out, and all of them at once.

use sallyport_pack::manifest::Manifest;

const SLACK: &str = include_str!("fixtures/slack.connector.toml");
const TRELLO: &str = include_str!("fixtures/trello.connector.toml");
const NOTION: &str = include_str!("fixtures/notion.connector.toml");
const DRIVE: &str = include_str!("fixtures/google-drive.connector.toml");

/// The problems after `from` was replaced by `to`, once.
fn problems(manifest: &str, from: &str, to: &str) -> Vec<String> {
    if !manifest.contains(from) {
        return vec![format!("the manifest does not hold {from:?}")];
    }
    match Manifest::from_toml(&manifest.replacen(from, to, 1)) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.problems().iter().map(ToString::to_string).collect(),
    }
}

/// Each: manifest, what is replaced, by what, and where and what the one problem is.
#[test]
fn a_mistake_is_found_at_its_key_with_the_way_out() {
    let table: &[(&str, &str, &str, &str, &str)] = &[
        // The file and its keys.
        (SLACK, "schema = 1", "schema = 2", "schema", "update sallyport"),
        (SLACK, "schema = 1", "", "schema", "write schema = 1"),
        (SLACK, "[sync]", "[snyc]", "snyc", "did you mean \"sync\"?"),
        (SLACK, "access = \"read\"", "acces = \"read\"", "capability[0].acces", "did you mean \"access\"?"),
        (
            SLACK,
            "credentials = false",
            "credential = false",
            "capability[3].routes[1].credential",
            "did you mean \"credentials\"?",
        ),
        (SLACK, "name = \"Slack\"\n", "", "connector", "name is missing"),
        (SLACK, "version = \"0.1.0\"", "version = \"one\"", "connector.version", "unexpected character"),
        (SLACK, "id = \"slack\"", "id = \"Slack\"", "connector.id", "e.g. \"slack\""),
        // Origins and headers.
        (SLACK, "https://slack.com\"", "http://slack.com\"", "origins.api.url", "not https"),
        (SLACK, "https://slack.com\"", "https://slack.com/api\"", "origins.api.url", "the path in the routes"),
        (SLACK, "https://files.slack.com", "https://slack.com", "origins.files.url", "another origin has this URL"),
        (DRIVE, "headers = [\"range\"]", "headers = [\"Range\"]", "http.headers[0]", "\"range\""),
        (DRIVE, "headers = [\"range\"]", "headers = [\"authorization\"]", "http.headers[0]", "the host's to set"),
        (NOTION, "headers = []", "headers = [\"notion-version\"]", "http.headers[0]", "is fixed"),
        // Auth.
        (SLACK, "\"client_secret\", ", "", "auth[0].client_auth", "add it to client.fields"),
        (SLACK, "pkce = \"off\"", "pkce = \"of\"", "auth[0].pkce", "expected `required` or `off`"),
        (SLACK, "pkce = \"off\"", "", "auth[0]", "pkce is missing"),
        (
            NOTION,
            "type = \"token\" ",
            "type = \"token\"\npkce = \"off\" ",
            "auth[1]",
            "pkce has no meaning for this type",
        ),
        (NOTION, "[A-Za-z0-9]+$", "[A-Za-z0-9+$", "auth[1].pattern", "not a regular expression"),
        (
            SLACK,
            "value = \"Bearer {token}\"",
            "value = \"Bearer\"",
            "auth[0].credential[0].inject.value",
            "would not be sent",
        ),
        (
            TRELLO,
            "\"{client.key}\", oauth",
            "\"{client.kee}\", oauth",
            "auth[1].credential[0].inject.value",
            "known here are token, client.client_id",
        ),
        (
            SLACK,
            "header = \"authorization\"",
            "header = \"cookie\"",
            "auth[0].credential[0].inject.header",
            "cannot carry a credential",
        ),
        (
            NOTION,
            "inject = { origins = [\"api\"]",
            "inject = { origins = [\"files\"]",
            "auth[0].credential[0].inject.origins[0]",
            "takes no credentials",
        ),
        (SLACK, "slot = \"user\"\noptional", "slot = \"bot\"\noptional", "auth[0].credential[1].slot", "is taken"),
        (
            SLACK,
            "token = \"/access_token\"",
            "token = \"access_token\"",
            "auth[0].credential[0].code_reply.token",
            "no JSON pointer",
        ),
        // Capabilities and routes.
        (SLACK, "slots = [\"bot\"]", "slots = [\"bott\"]", "capability[0].slots[0]", "did you mean \"bot\"?"),
        (
            SLACK,
            "\"GET {api}/api/auth.test\"",
            "\"GET {apis}/api/auth.test\"",
            "capability[0].routes[0]",
            "did you mean \"api\"?",
        ),
        (
            SLACK,
            "\"GET {api}/api/auth.test\"",
            "\"GET {api}/api/{x}y\"",
            "capability[0].routes[0]",
            "braces take a whole segment",
        ),
        (
            SLACK,
            "\"GET {api}/api/auth.test\"",
            "\"PUT {api}/api/auth.test\"",
            "capability[0].routes[0]",
            "cannot be a read",
        ),
        (
            SLACK,
            "\"GET {api}/api/auth.test\"",
            "\"* {api}/api/auth.test\"",
            "capability[0].routes[0]",
            "name the method",
        ),
        (
            SLACK,
            "\"GET {api}/api/search.messages\"",
            "\"GET {files}/search\"",
            "capability[1].routes[0]",
            "add it to inject.origins",
        ),
        (
            SLACK,
            "bind = [\"channel\", ",
            "bind = [\"chanel\", ",
            "capability[2].routes[0].bind[0]",
            "did you mean \"channel\"?",
        ),
        (
            TRELLO,
            "bind = [\"{id}\", \"idList\"]",
            "bind = [\"{card}\", \"idList\"]",
            "capability[1].routes[3].bind[0]",
            "no segment",
        ),
        (
            SLACK,
            "keys = [\"channel\", \"text\"",
            "keys = [\"channel\", \"token\"",
            "capability[2].routes[0].keys",
            "refused by http.refuse_parameters",
        ),
        (
            TRELLO,
            "prefs_permissionLevel = [\"private\"]",
            "prefs = [\"private\"]",
            "capability[1].routes[0].values.prefs",
            "not among keys",
        ),
        (TRELLO, "repeat = \"safe\"", "repeat = \"key\"", "capability[1].routes[3].repeat_key", "missing"),
        (TRELLO, "repeat = \"safe\"", "repeat = \"sometimes\"", "capability[1].routes[3].repeat", "expected one of"),
        (
            DRIVE,
            "repeat_key = { parameter = \"id\"",
            "repeat_key = { parameter = \"key\"",
            "capability[1].routes[0].repeat_key.parameter",
            "not among keys",
        ),
        (
            DRIVE,
            "keys = [\"id\", \"type\"",
            "keys = [\"token\", \"type\"",
            "capability[3].routes[0].fill.token",
            "remove it from keys",
        ),
        (SLACK, "id = \"search\"", "id = \"channels.read\"", "capability[1].id", "is taken"),
        // Tools.
        (
            SLACK,
            "capabilities = [\"search\"]",
            "capabilities = [\"serch\"]",
            "tool[0].capabilities[0]",
            "did you mean \"search\"?",
        ),
        (SLACK, "effect = \"read\"", "effect = \"write\"", "tool[0].effect", "none of its capabilities writes"),
        (TRELLO, "effect = \"write\"\nmax_writes = 120", "effect = \"read\"", "tool[0].effect", "boards.write writes"),
        (SLACK, "max_writes = 1\n", "", "tool[1].max_writes", "at least 1"),
        (SLACK, "max_writes = 1\n", "max_writes = 5000\n", "tool[1].max_writes", "at most 1000"),
        (
            SLACK,
            "{ argument = \"/channel\", is = \"container\" }",
            "{ is = \"container\" }",
            "tool[1].destination",
            "the argument names",
        ),
        (
            SLACK,
            "{ argument = \"/channel\", is = \"container\" }",
            "{ is = \"new\" }",
            "tool[1].destination",
            "has an audience",
        ),
        (SLACK, "control = [\"/channel\"", "control = [\"channel\"", "tool[1].control[0]", "no JSON pointer"),
        (
            TRELLO,
            "capabilities = [\"cards.archive\"]",
            "capabilities = [\"cards.archive\", \"boards.watch\"]",
            "tool[2].capabilities",
            "no tool may use it",
        ),
        // Sync, limits, answers.
        (
            SLACK,
            "[sync]\ncapabilities = [\"channels.read\"]",
            "[sync]\ncapabilities = [\"messages.post\"]",
            "sync.capabilities",
            "a sync only reads",
        ),
        (SLACK, "interval = \"5m\"", "interval = \"5 minutes\"", "sync.interval", "as \"5m\""),
        (SLACK, "sweep = \"24h\"", "sweep = \"1m\"", "sync.sweep", "shorter than the interval"),
        (SLACK, "limit = \"50/1m\"", "limit = \"50 per minute\"", "rate_limit[0].limit", "as \"300/10s\""),
        (
            SLACK,
            "when = { app_kind = [\"internal\", \"marketplace\"] }",
            "when = { app_knd = [\"internal\"] }",
            "rate_limit[0].when.app_knd",
            "did you mean \"app_kind\"?",
        ),
        (
            SLACK,
            "when = { app_kind = [\"internal\", \"marketplace\"] }",
            "when = { app_kind = [\"public\"] }",
            "rate_limit[0].when.app_kind",
            "none of the choices",
        ),
        (SLACK, "default = \"internal\"", "default = \"public\"", "setting[0].default", "none of the choices"),
        (
            SLACK,
            "code = \"/error\" }\nrefresh",
            "text = true, code = \"/error\" }\nrefresh",
            "answer[0].when",
            "write where the code stands",
        ),
        (TRELLO, "status = [429]", "status = [42]", "answer[1].when", "no HTTP status"),
        (
            SLACK,
            "forbidden = [\"missing_scope\"",
            "forbidden = [\"ratelimited\"",
            "answer[0]",
            "a code has one meaning",
        ),
        // Webhooks.
        (
            SLACK,
            "key = \"client.signing_secret\"",
            "key = \"client.secret\"",
            "webhook.signature.key",
            "add it to client.fields",
        ),
        (
            NOTION,
            "capture = \"webhook_secret\"",
            "capture = \"secret\"",
            "webhook.signature.key",
            "no handshake captures webhook_secret",
        ),
        (NOTION, "message = \"{body}\"", "message = \"x\"", "webhook.signature.message", "would not be signed"),
        (NOTION, "format = \"sha256={hex}\"", "format = \"sha256\"", "webhook.signature.format", "{hex} or {base64}"),
        (TRELLO, "status = 200 }]", "status = 200, reply = \"/x\" }]", "webhook.handshake[0]", "one of three forms"),
        (
            TRELLO,
            "subscribe = [\"boards.watch\"]",
            "subscribe = [\"boards.read\"]",
            "webhook.subscribe",
            "not for subscriptions",
        ),
        (DRIVE, "verify = {", "# verify = {", "webhook", "anybody could send deliveries"),
    ];
    let mut missed = Vec::new();
    for (manifest, from, to, path, what) in table {
        let found = problems(manifest, from, to);
        let hit = found.iter().any(|problem| problem.starts_with(&format!("{path}: ")) && problem.contains(what));
        if !hit {
            missed.push(format!("{from:?} -> {to:?}\nwanted {path}: …{what}…\nfound {found:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = SLACK
        .replacen("[sync]", "[snyc]", 1)
        .replacen("access = \"read\"", "acces = \"read\"", 1)
        .replacen("\"GET {api}/api/users.list\"", "\"FETCH {api}/api/users.list\"", 1)
        .replacen("limit = \"1/1s\"", "limit = \"1\"", 1)
        .replacen("pkce = \"off\"", "pkce = \"maybe\"", 1);
    let found: Vec<String> = Manifest::from_toml(&text)
        .expect_err("five mistakes")
        .problems()
        .iter()
        .map(|problem| problem.path.clone())
        .collect();
    for path in ["snyc", "auth[0].pkce", "capability[0].acces", "capability[0].routes[1]", "rate_limit[2].limit"] {
        assert!(found.iter().any(|other| other == path), "{path} is missing in {found:?}");
    }
}

#[test]
fn what_is_no_manifest_at_all_is_an_error_and_no_panic() {
    for text in [
        "",
        "schema",
        "schema = 1",
        "schema = 1\nconnector = 3",
        "capability = 1",
        "[[connector]]",
        "\u{0}",
        "[connector]\nid = []",
    ] {
        assert!(Manifest::from_toml(text).is_err(), "{text:?}");
    }
    for json in ["null", "[]", "{\"schema\": 1}", "{\"schema\": null}", "{\"connector\": {\"id\": null}}"] {
        assert!(Manifest::from_json(&serde_json::from_str(json).expect("JSON")).is_err(), "{json}");
    }
}

#[test]
fn writes_that_may_carry_anything_and_unused_capabilities_are_warned_of() {
    let text = TRELLO
        .replacen(
            "{ match = \"PUT {api}/1/cards/{id}\", keys = [\"closed\"], bind = [\"{id}\"], repeat = \"safe\" }",
            "\"PUT {api}/1/cards/{id}\"",
            1,
        )
        .replacen("subscribe = [\"boards.watch\"]\n", "", 1)
        .replacen("match = \"subscription\"", "match = \"account\"", 1);
    let manifest = Manifest::from_toml(&text).expect("allowed");
    let warnings: Vec<String> = manifest.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "capability[2].routes[0]: \"PUT {api}/1/cards/{id}\" may carry any parameter: list what it needs in keys",
            "capability[3]: nothing uses boards.watch: remove it, or name it in a [[tool]], [sync] or [webhook]",
        ]
    );
}
