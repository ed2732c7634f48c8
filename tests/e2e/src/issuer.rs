//! An OpenID Connect provider that we did not write, as a process of its own; `tests/oidc/issuer.js` says what it does.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest::Url;

use crate::browser::Browser;
use crate::chromium::Running;

/// What the program needs beside itself.
const FILES: [&str; 4] = ["package.json", "package-lock.json", ".npmrc", "issuer.js"];

/// A running issuer. It ends with this.
pub struct Issuer {
    /// Its name, and where it is.
    pub url: String,
    _process: Running,
}

impl Issuer {
    /// Starts one with settings as `("PKCE", "optional")`; `None`, said on stdout, where there is no Node.
    ///
    /// # Panics
    /// Its packages cannot be had, or it does not start.
    #[must_use]
    pub fn start(settings: &[(&str, &str)]) -> Option<Self> {
        let has = |tool: &str| {
            let asked = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            asked.is_ok_and(|status| status.success())
        };
        if !has("node") || !has("npm") {
            println!("skipped: node and npm are not here");
            return None;
        }
        let mut node = Command::new("node");
        node.arg("issuer.js").current_dir(installed()).stdin(Stdio::piped()).stdout(Stdio::piped());
        // What it warns of is that it is no issuer for people.
        node.stderr(Stdio::null());
        node.envs(settings.iter().map(|(name, value)| (format!("ISSUER_{name}"), value)));
        let mut child = node.spawn().expect("node starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let process = Running::new(child);
        let url = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("issuer ").map(ToOwned::to_owned));
        Some(Self { url: url.expect("the issuer says where it is"), _process: process })
    }

    /// Signs in as somebody in a browser that was sent to `authorize`, and consents; gives the address that the browser
    /// is sent back to.
    ///
    /// # Panics
    /// The issuer shows something else.
    pub async fn sign_in(&self, browser: &Browser, authorize: Url, name: &str) -> Url {
        let mut page = browser.get(authorize).await;
        for _ in 0..20 {
            page = match page.leads_to() {
                Some(to) if to.as_str().starts_with(&self.url) => browser.get(to).await,
                Some(to) => return to,
                None => {
                    assert!(page.status.is_success(), "{} {}: {}", page.url, page.status, page.text);
                    let login = page.text.contains("value=\"login\"");
                    let fields: &[(&str, &str)] = match login {
                        true => &[("prompt", "login"), ("login", name), ("password", "anything")],
                        false => &[("prompt", "consent")],
                    };
                    browser.submit(page.url.clone(), fields).await
                }
            };
        }
        panic!("the issuer does not come to an end: {} {}", page.url, page.text)
    }
}

/// The program with its packages, in a folder outside of the checkout, made when anything of it has changed.
fn installed() -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../oidc");
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let cache = target
        .as_deref()
        .and_then(Path::parent)
        .map(Path::to_owned)
        .unwrap_or_else(|| Path::new(&std::env::var_os("HOME").expect("a home folder")).join(".cache/sallyport"));
    let folder = cache.join("oidc");
    fs::create_dir_all(&folder).expect("a folder in the cache");
    // Of tests that start at once, one installs.
    let lock = fs::File::create(folder.join(".lock")).expect("a lock");
    lock.lock().expect("the lock");
    let packages = fs::read(sources.join("package-lock.json")).expect("the list of packages");
    let done = folder.join(".installed");
    let current = fs::read(&done).is_ok_and(|installed| installed == packages);
    for file in FILES {
        fs::copy(sources.join(file), folder.join(file)).expect("copied");
    }
    if !current {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder).stdin(Stdio::null());
        let output = npm.output().expect("npm starts");
        assert!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
        fs::write(done, packages).expect("written");
    }
    folder
}
