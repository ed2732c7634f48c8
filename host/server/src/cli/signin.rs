//! `sallyport signin`: which OpenID Connect issuer says who a tenant's people are.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;

use anyhow::Context as _;
use axum::http::HeaderMap;
use clap::{Args, Subcommand};
use sallyport::keys::Secret;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Global, session};
use crate::api::signin::callback;
use crate::app::App;
use crate::origin::public_url;
use crate::output::{self, Rows};
use crate::signin::Pin;

/// What to do about the tenant's sign-in.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Pin an issuer, in place of the one before. People of other issuers are signed out.
    Set(Box<Set>),
    /// The pinned issuer, and the redirect address to register there.
    Show,
    /// Take the issuer back. Whoever signed in by it is signed out.
    Remove,
}

/// An issuer. The client secret is never an argument: it comes from `--secret FILE`, from stdin, or from a prompt.
#[derive(Debug, Args)]
pub struct Set {
    /// The issuer's address, letter by letter as its discovery document names it.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The id of the client that is registered at the issuer for this host.
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// File with the client secret.
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// The claim that gives roles: a name, or a JSON pointer as /realm_access/roles.
    #[arg(long, value_name = "CLAIM")]
    roles_claim: Option<String>,
    /// A value of the claim that makes an admin. Without one nobody becomes an admin.
    #[arg(long = "admin", value_name = "VALUE")]
    admins: Vec<String>,
    /// A value of the claim that makes an approver.
    #[arg(long = "approver", value_name = "VALUE")]
    approvers: Vec<String>,
    /// A value of the claim that makes a member; without one everybody who signs in is a member.
    #[arg(long = "member", value_name = "VALUE")]
    members: Vec<String>,
    /// A domain of which people need a verified e-mail address.
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    /// A scope to ask for beside openid, email and profile.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Keep it though the issuer does not answer now.
    #[arg(long)]
    unchecked: bool,
}

#[derive(Serialize)]
struct Line {
    issuer: String,
    client_id: String,
    roles: String,
    domains: Vec<String>,
    scopes: Vec<String>,
    redirect_url: String,
}

impl Rows for Line {
    fn header() -> &'static [&'static str] {
        &["issuer", "client id", "roles", "domains", "scopes", "redirect address to register"]
    }

    fn row(&self) -> Vec<String> {
        let list = |all: &[String], none: &str| if all.is_empty() { none.into() } else { all.join(", ") };
        vec![
            self.issuer.clone(),
            self.client_id.clone(),
            self.roles.clone(),
            list(&self.domains, "any"),
            list(&self.scopes, "-"),
            self.redirect_url.clone(),
        ]
    }
}

pub(crate) async fn run(global: &Global, action: Action) -> anyhow::Result<()> {
    let (app, tenant) = session::open(global).await?;
    if let Some(address) = global.listen {
        app.origins().listens(address);
    }
    match action {
        Action::Set(set) => {
            let secret = Secret::new(read(set.secret.as_deref())?.trim());
            let unchecked = set.unchecked;
            let pin = pin(*set).checked()?;
            if !unchecked {
                app.signin()
                    .check(&pin.issuer)
                    .await
                    .context("the issuer was asked (--unchecked keeps it all the same)")?;
            }
            app.signin().set_pin(&tenant, pin, &secret).await?;
        }
        Action::Remove => {
            anyhow::ensure!(app.signin().remove_pin(&tenant).await?, "tenant {tenant} has no sign-in");
            output::progress(&format!("nobody signs in to {tenant} any more, and the sessions there were have ended"));
            return Ok(());
        }
        Action::Show => {}
    }
    let pin = app.signin().pin(&tenant).await?;
    output::list(global.output, &[line(&app, pin)])?;
    Ok(())
}

fn pin(set: Set) -> Pin {
    Pin {
        issuer: set.issuer,
        client_id: set.client_id,
        roles_claim: set.roles_claim,
        admin: set.admins,
        approver: set.approvers,
        member: set.members,
        domains: set.domains,
        scopes: set.scopes,
    }
}

fn line(app: &App, pin: Pin) -> Line {
    let rule = |role: &str, values: &[String]| (!values.is_empty()).then(|| format!("{role}: {}", values.join(", ")));
    let rules = [rule("admin", &pin.admin), rule("approver", &pin.approver), rule("member", &pin.member)];
    let rules: Vec<String> = rules.into_iter().flatten().collect();
    let roles = match &pin.roles_claim {
        Some(claim) => format!("by {claim}: {}", rules.join("; ")),
        None => "everybody is a member".into(),
    };
    // Of no request, so by the configuration or the listening address alone.
    let redirect_url = callback(&public_url(app, None, &HeaderMap::new())).into();
    Line { issuer: pin.issuer, client_id: pin.client_id, roles, domains: pin.domains, scopes: pin.scopes, redirect_url }
}

fn read(file: Option<&std::path::Path>) -> anyhow::Result<Zeroizing<String>> {
    let text = match file {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
        None if std::io::stdin().is_terminal() => rpassword::prompt_password("Client secret: ")?,
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read the client secret from stdin")?;
            text
        }
    };
    let text = Zeroizing::new(text);
    anyhow::ensure!(
        !text.trim().is_empty(),
        "the client secret is empty: give it by --secret FILE, on stdin, or at the prompt"
    );
    Ok(text)
}
