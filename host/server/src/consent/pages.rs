//! What the pages say.

use maud::{DOCTYPE, Markup, html};
use sallyport::connection::Owner;
use sallyport::consent::{Connected, ConsentPage, PageCapability, PasteField, Readers, Way};
use sallyport_pack::manifest::Access;
use url::Url;

fn page(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Sallyport" }
                link rel="stylesheet" href="/connect/style.css";
            }
            body { main { (body) } }
        }
    }
}

/// The page of a link: everything that yes would mean, and the form that says it.
pub(super) fn consent(page_of: &ConsentPage, token: &str) -> Markup {
    let ConsentPage { connector, provider, tenant, by, again, .. } = page_of;
    let title = match again {
        None => format!("Connect {provider} to {tenant}"),
        Some(name) => format!("Connect {name} again"),
    };
    let action = format!("/connect/{token}");
    let body = html! {
        p.who { strong { (by) } " asks for this, for " strong { (tenant) } ". The link is theirs: go on only if you know them." }
        h1 { (title) }
        p {
            "The connector " strong { (connector) } " " (page_of.version) " would use it, published by "
            @match &page_of.publisher {
                Some(publisher) => code { (publisher) },
                None => span.warn { "nobody who signed it: whoever runs this host vouches for it" },
            }
            ". " (owned(&page_of.owner))
        }
        form method="post" action=(action) {
            input type="hidden" name="component" value=(page_of.digest);
            h2 { "It will be able to" }
            fieldset.choices {
                legend { "What the connector will be able to do" }
                @for capability in &page_of.capabilities { (choice(capability)) }
            }
            @if !page_of.scopes.is_empty() {
                h2 { (provider) " will be asked for" }
                ul { @for scope in &page_of.scopes {
                    li { code { (scope.scope) } br;
                        span.note {
                            @if scope.needed_by.is_empty() { "for the connection itself" }
                            @else { "to " (scope.needed_by.join("; ").to_lowercase()) }
                        }
                    }
                } }
            }
            h2 { "The secret will be sent to" }
            ul { @for origin in &page_of.origins {
                li { code { (origin.origin) } @if origin.for_tokens { span.tag { "for tokens" } } }
            } }
            p.note { "And nowhere else. The connector itself never sees it." }
            h2 { "Who can read what it reads in" }
            p { (readers(&page_of.readers, provider, tenant)) }
            @if !page_of.constraints.is_empty() {
                h2 { "Bounds on all of it" }
                ul { @for constraint in &page_of.constraints { li { code { (constraint) } } } }
            }
            (paste(&page_of.way))
            div.buttons {
                button type="submit" { (go_on(&page_of.way)) }
                button.quiet type="submit" formaction=(format!("{action}/decline")) formnovalidate { "Decline" }
            }
        }
        p.note { "This page is good for a quarter of an hour, once." }
    };
    page(&title, &body)
}

fn owned(owner: &Owner) -> &'static str {
    match owner {
        Owner::Workspace => "The connection will be the workspace's: its members use it.",
        Owner::Person(_) => "The connection will be one person's: nobody else acts by it.",
    }
}

fn choice(capability: &PageCapability) -> Markup {
    let (word, class) = match capability.access {
        Access::Read => ("reads", "tag"),
        Access::Write => ("changes things", "tag write"),
        Access::Subscribe => ("asks to be told of changes", "tag"),
    };
    html! {
        label {
            input type="checkbox" name="capability" value=(capability.id) checked;
            (capability.summary) " "
            span class=(class) { (word) }
            @if capability.asks { span.tag { "asks each time" } }
            @if capability.granted { span.tag { "has it already" } }
        }
    }
}

fn readers(readers: &Readers, provider: &str, tenant: &str) -> String {
    match readers {
        Readers::Nobody => "Nothing is read in: it acts only when it is asked to.".into(),
        Readers::Provider => {
            format!("Each document: those people of {tenant} who may read it at {provider}, and nobody else.")
        }
        Readers::These(who) => {
            format!("{provider} does not say who may read what. All of it can be read by {}.", who.join(", "))
        }
        Readers::Owner => {
            format!("{provider} does not say who may read what. Only the connection's owner reads any of it.")
        }
    }
}

fn paste(way: &Way) -> Markup {
    match way {
        Way::Redirect { .. } | Way::Nothing => html! {},
        Way::Paste(fields) => html! { h2 { "Paste it here" } @for field in fields { (paste_field(field)) } },
        Way::KeyFile(slot) => html! {
            h2 { "The service account's key" }
            label.field { "The JSON file, whole"
                textarea name=(format!("secret.{slot}")) rows="6" required autocomplete="off" spellcheck="false" {}
            }
        },
    }
}

fn paste_field(field: &PasteField) -> Markup {
    html! {
        label.field { (field.label)
            @if field.optional { span.note { "may stay empty" } }
            input type="password" name=(format!("secret.{}", field.slot)) pattern=[field.pattern.as_deref()]
                required[!field.optional] autocomplete="off";
        }
    }
}

fn go_on(way: &Way) -> String {
    match way {
        Way::Redirect { host } => format!("Agree, and go to {host}"),
        Way::Nothing | Way::Paste(_) | Way::KeyFile(_) => "Agree and connect".into(),
    }
}

/// On the way to the provider, without script: the browser goes on by itself, and there is a link where it does not.
pub(super) fn going(url: &Url) -> Markup {
    let host = url.host_str().unwrap_or_default();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="refresh" content=(format!("0;url={url}"));
                title { "Going to " (host) " · Sallyport" }
                link rel="stylesheet" href="/connect/style.css";
            }
            body { main {
                h1 { "Going to " (host) }
                div.buttons { a.button href=(url) rel="noreferrer" { "Go to " (host) } }
            } }
        }
    }
}

/// It worked.
pub(super) fn connected(connected: &Connected) -> Markup {
    let connection = &connected.connection;
    let body = html! {
        h1 { "Connected: " (connection.name) }
        p { "The account is " strong { (connection.account_name) } "." }
        @if !connected.left_out.is_empty() {
            p.warn { "The service did not grant everything: "
                @for (index, id) in connected.left_out.iter().enumerate() { @if index > 0 { ", " } code { (id) } }
                " is left out. It can be asked for again later."
            }
        }
        (onward(connected.return_to.as_deref()))
    };
    page("Connected", &body)
}

/// Somebody said no.
pub(super) fn declined(return_to: Option<&str>) -> Markup {
    page(
        "Declined",
        &html! { h1 { "Nothing was connected" } p { "You declined, and the link is over." } (onward(return_to)) },
    )
}

fn onward(return_to: Option<&str>) -> Markup {
    html! {
        @match return_to {
            Some(url) => div.buttons { a.button href=(url) rel="noreferrer" { "Go on" } },
            None => p.note { "You can close this page." },
        }
    }
}

/// It went wrong.
pub(super) fn failed(message: &str, again: Option<&str>) -> Markup {
    let body = html! {
        h1 { "This did not work" }
        p role="alert" { (message) }
        @if let Some(token) = again { div.buttons { a.button href=(format!("/connect/{token}")) { "Back to the page" } } }
    };
    page("Not connected", &body)
}

/// The page that a provider sends somebody to with a token behind the `#`.
pub(super) fn fragment(state: &str, parameter: &str) -> Markup {
    let body = html! {
        h1 { "Almost there" }
        p { "The service gave your browser a token. This page hands it over." }
        form method="post" action="/connect/fragment" data-parameter=(parameter) {
            input type="hidden" name="state" value=(state);
            input type="hidden" name="error" value="";
            label.field { "If nothing happens, paste the token here"
                input type="password" name="token" autocomplete="off";
            }
            div.buttons { button type="submit" { "Connect" } }
        }
        script src="/connect/fragment.js" {}
    };
    page("Almost there", &body)
}
