//! What serde cannot see: names that must be declared, rules between sections.

use std::collections::{BTreeSet, HashSet};

use super::load::nearest;
use super::{
    Access, Auth, AuthMethod, Capability, CapabilityId, Effect, Handshake, HeaderName, Manifest, OriginName, Place,
    Problem, Secret, Template, Tool, Webhook,
};
use crate::route::{Bind, Body, Repeat, Route, RouteTemplate};

/// The most writes that one approval may stand for.
const MAX_WRITES: u32 = 1_000;

/// Everything that is wrong between the parts of a manifest.
pub(super) fn references(manifest: &Manifest) -> Vec<Problem> {
    let mut check = Check { manifest, problems: Vec::new() };
    check.connector();
    check.origins();
    check.http();
    check.settings();
    check.auth();
    check.capabilities();
    check.tools();
    check.sync();
    check.rate_limits();
    check.answers();
    if let Some(webhook) = &manifest.webhook {
        check.webhook(webhook);
    }
    check.problems
}

/// What is allowed and yet deserves a second look.
pub(super) fn warnings(manifest: &Manifest) -> Vec<Problem> {
    let mut warnings = Vec::new();
    for (at, capability) in manifest.capabilities.iter().enumerate() {
        for (number, route) in capability.routes.iter().enumerate() {
            if capability.access == Access::Write && route.keys.is_none() {
                let message = format!("\"{}\" may carry any parameter: list what it needs in keys", route.template);
                warnings.push(Problem::new(format!("capability[{at}].routes[{number}]"), message));
            }
        }
        let used = manifest.tools.iter().any(|tool| tool.capabilities.contains(&capability.id))
            || manifest.sync.as_ref().is_some_and(|sync| sync.capabilities.contains(&capability.id))
            || manifest.webhook.as_ref().is_some_and(|webhook| webhook.subscribe.contains(&capability.id));
        if !used {
            let message =
                format!("nothing uses {}: remove it, or name it in a [[tool]], [sync] or [webhook]", capability.id);
            warnings.push(Problem::new(format!("capability[{at}]"), message));
        }
    }
    warnings
}

struct Check<'m> {
    manifest: &'m Manifest,
    problems: Vec<Problem>,
}

impl<'m> Check<'m> {
    fn say(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    fn unique<'n>(&mut self, section: &str, key: &str, names: impl Iterator<Item = &'n str>) {
        let mut seen = HashSet::new();
        for (at, name) in names.enumerate() {
            if !seen.insert(name) {
                self.say(
                    format!("{section}[{at}].{key}"),
                    format!("{name:?} is taken by an earlier one: choose another"),
                );
            }
        }
    }

    fn connector(&mut self) {
        let name = &self.manifest.connector.name;
        if name.trim().is_empty() || name.len() > 80 || name.chars().any(char::is_control) {
            self.say("connector.name", "write the name that people see, at most 80 characters");
        }
    }

    fn origins(&mut self) {
        let mut seen = BTreeSet::new();
        for (name, origin) in &self.manifest.origins {
            if !seen.insert(&origin.url) {
                self.say(format!("origins.{name}.url"), "another origin has this URL: one origin has one name");
            }
        }
        if self.manifest.origins.is_empty() {
            self.say(
                "origins",
                "no origin: write one, as api = { url = \"https://api.example.com\", credentials = true }",
            );
        }
    }

    fn http(&mut self) {
        let http = &self.manifest.http;
        let fixed = http.fixed.keys().map(|name| (format!("http.fixed.{name}"), name));
        let own = http.headers.iter().enumerate().map(|(at, name)| (format!("http.headers[{at}]"), name));
        let forbidden: Vec<(String, &HeaderName)> = fixed.chain(own).filter(|(_, name)| name.is_forbidden()).collect();
        for (path, name) in forbidden {
            self.say(path, format!("{name} is the host's to set: remove it"));
        }
        for (at, name) in http.headers.iter().enumerate() {
            if http.fixed.contains_key(name) {
                self.say(format!("http.headers[{at}]"), format!("{name} is fixed: a guest cannot set it too"));
            }
        }
        for (name, value) in &http.fixed {
            if value.chars().any(|c| c != '\t' && c.is_control()) || !value.is_ascii() {
                self.say(format!("http.fixed.{name}"), "a header's value is printable ASCII");
            }
        }
    }

    fn settings(&mut self) {
        self.unique("setting", "key", self.manifest.settings.iter().map(|setting| setting.key.as_str()));
        for (at, setting) in self.manifest.settings.iter().enumerate() {
            if setting.choices.is_empty() {
                self.say(format!("setting[{at}].choices"), "no choice: write at least one");
            } else if !setting.choices.contains(&setting.default) {
                let message = format!("{:?} is none of the choices: {}", setting.default, setting.choices.join(", "));
                self.say(format!("setting[{at}].default"), message);
            }
            if setting.choices.iter().collect::<HashSet<_>>().len() != setting.choices.len() {
                self.say(format!("setting[{at}].choices"), "a choice stands twice");
            }
        }
    }

    fn auth(&mut self) {
        self.unique("auth", "id", self.manifest.auth.iter().map(|auth| auth.id.as_str()));
        for (at, auth) in self.manifest.auth.iter().enumerate() {
            let path = format!("auth[{at}]");
            self.auth_method(&path, auth);
            self.unique(
                &format!("{path}.credential"),
                "slot",
                auth.credentials.iter().map(|credential| credential.slot.as_str()),
            );
            if auth.credentials.is_empty() {
                self.say(format!("{path}.credential"), "no secret comes of it: write [[auth.credential]]");
            }
            for (number, credential) in auth.credentials.iter().enumerate() {
                let path = format!("{path}.credential[{number}]");
                let oauth = matches!(auth.method, AuthMethod::OAuth2Code(_));
                if oauth && credential.code_reply.is_none() {
                    self.say(format!("{path}.code_reply"), "missing: write where the token stands in the answer");
                }
                if !oauth
                    && (credential.code_reply.is_some() || credential.refresh_reply.is_some() || credential.rotates)
                {
                    self.say(&path, "code_reply, refresh_reply and rotates belong to oauth2-code: remove them");
                }
                if credential.rotates && credential.refresh_reply.as_ref().is_none_or(|reply| reply.refresh.is_none()) {
                    self.say(format!("{path}.rotates"), "write in refresh_reply where the new refresh token stands");
                }
                self.inject(&format!("{path}.inject"), credential);
            }
        }
    }

    fn auth_method(&mut self, path: &str, auth: &Auth) {
        match &auth.method {
            AuthMethod::OAuth2Code(oauth) => {
                let mut needed = vec!["client_id"];
                if oauth.client_auth != super::ClientAuth::None {
                    needed.push("client_secret");
                }
                for field in needed {
                    if !self.manifest.client.fields.iter().any(|own| own == field) {
                        self.say(format!("{path}.client_auth"), format!("needs {field:?}: add it to client.fields"));
                    }
                }
                for (key, template) in &oauth.authorize_parameters {
                    self.placeholders(&format!("{path}.authorize_parameters.{key}"), template, &[]);
                }
            }
            AuthMethod::TokenFragment { authorize_parameters, .. } => {
                for (key, template) in authorize_parameters {
                    self.placeholders(&format!("{path}.authorize_parameters.{key}"), template, &[]);
                }
            }
            AuthMethod::Token { pattern: Some(pattern), .. } => {
                if let Err(error) = regex::Regex::new(pattern) {
                    self.say(format!("{path}.pattern"), format!("not a regular expression: {error}"));
                }
            }
            AuthMethod::Token { .. } | AuthMethod::ServiceAccount => {}
        }
    }

    fn inject(&mut self, path: &str, credential: &super::Credential) {
        let inject = &credential.inject;
        if inject.origins.is_empty() {
            self.say(format!("{path}.origins"), "no origin: the secret would go nowhere");
        }
        for (at, name) in inject.origins.iter().enumerate() {
            let path = format!("{path}.origins[{at}]");
            match self.manifest.origins.get(name) {
                None => self.unknown_origin(&path, name),
                Some(origin) if !origin.credentials => {
                    self.say(
                        path,
                        format!(
                            "{name} takes no credentials: write credentials = true at origins.{name}, or remove it here"
                        ),
                    );
                }
                Some(_) => {}
            }
        }
        if inject.header.is_forbidden() && !matches!(inject.header.as_str(), "authorization" | "x-api-key") {
            self.say(
                format!("{path}.header"),
                format!("{} cannot carry a credential: write authorization or the service's own header", inject.header),
            );
        }
        if !inject.value.placeholders().any(|name| name == "token") {
            self.say(format!("{path}.value"), "{token} does not stand in it: the secret would not be sent");
        }
        self.placeholders(&format!("{path}.value"), &inject.value, &["token"]);
    }

    /// Placeholders are `own` ones, or `client.FIELD` for a declared field.
    fn placeholders(&mut self, path: &str, template: &Template, own: &[&str]) {
        for name in template.placeholders() {
            let known = match name.strip_prefix("client.") {
                Some(field) => self.manifest.client.fields.iter().any(|own| own == field),
                None => own.contains(&name),
            };
            if !known {
                let fields = self.manifest.client.fields.iter().map(|field| format!("client.{field}"));
                let known: Vec<String> = own.iter().map(ToString::to_string).chain(fields).collect();
                self.say(path, format!("{{{name}}} stands for nothing: known here are {}", known.join(", ")));
            }
        }
    }

    fn unknown_origin(&mut self, path: &str, name: &OriginName) {
        let known: Vec<&str> = self.manifest.origins.keys().map(OriginName::as_str).collect();
        self.say(path, format!("no origin {name:?}{}", near(name.as_str(), &known), name = name.as_str()));
    }

    fn template(&mut self, path: &str, template: &RouteTemplate) {
        if !self.manifest.origins.contains_key(template.origin()) {
            self.unknown_origin(path, template.origin());
        }
    }

    fn capabilities(&mut self) {
        self.unique("capability", "id", self.manifest.capabilities.iter().map(|capability| capability.id.as_str()));
        for (at, capability) in self.manifest.capabilities.iter().enumerate() {
            let path = format!("capability[{at}]");
            if capability.summary.trim().is_empty() {
                self.say(format!("{path}.summary"), "write what a person consents to");
            }
            self.slots(&path, capability);
            if capability.routes.is_empty() {
                self.say(format!("{path}.routes"), "no route: it would allow nothing");
            }
            for (number, route) in capability.routes.iter().enumerate() {
                self.route(&format!("{path}.routes[{number}]"), capability, route);
            }
        }
        if self.manifest.capabilities.is_empty() {
            self.say("capability", "no capability: the connector could not even say whose account it has");
        }
    }

    fn slots(&mut self, path: &str, capability: &Capability) {
        let known: Vec<&str> = self.credentials().map(|credential| credential.slot.as_str()).collect();
        for (at, slot) in capability.slots.iter().enumerate() {
            if !known.contains(&slot.as_str()) {
                self.say(
                    format!("{path}.slots[{at}]"),
                    format!("no slot {:?}{}", slot.as_str(), near(slot.as_str(), &known)),
                );
            }
        }
        for slot in capability.scopes.keys().filter(|slot| !capability.slots.contains(slot)) {
            self.say(
                format!("{path}.scopes.{slot}"),
                format!("scopes for a slot that it does not use: add {:?} to slots", slot.as_str()),
            );
        }
    }

    fn credentials(&self) -> impl Iterator<Item = &'m super::Credential> + use<'m> {
        let manifest = self.manifest;
        manifest.auth.iter().flat_map(|auth| &auth.credentials)
    }

    fn route(&mut self, path: &str, capability: &Capability, route: &Route) {
        self.template(path, &route.template);
        match (route.template.method(), capability.access) {
            (None, _) => self.say(path, "* is for rate limits: name the method"),
            (Some(method @ ("PUT" | "PATCH" | "DELETE")), Access::Read) => {
                self.say(path, format!("{method} cannot be a read: move it to a write capability"));
            }
            _ => {}
        }
        if let Some(origin) = self.manifest.origins.get(route.template.origin())
            && origin.credentials
            && route.credentials
            && !capability.slots.is_empty()
            && !self
                .credentials()
                .any(|own| capability.slots.contains(&own.slot) && own.inject.origins.contains(route.template.origin()))
        {
            let message = format!(
                "no slot of {} is attached at {}: add it to inject.origins, or write credentials = false",
                capability.id,
                route.template.origin()
            );
            self.say(path, message);
        }
        self.route_rules(path, capability, route);
    }

    fn route_rules(&mut self, path: &str, capability: &Capability, route: &Route) {
        let captures: Vec<&str> = route.template.captures().collect();
        for (at, bind) in route.bind.iter().enumerate() {
            let path = format!("{path}.bind[{at}]");
            match (bind, &route.keys) {
                (Bind::Segment(name), _) if !captures.contains(&name.as_str()) => {
                    self.say(path, format!("{bind} is no segment of \"{}\"", route.template));
                }
                (Bind::Parameter(own), Some(keys)) if !keys.iter().any(|key| key.covers(own) || own.covers(key)) => {
                    let names: Vec<&str> = keys.iter().map(|key| key.name()).collect();
                    let hint = near(own.name(), &names);
                    self.say(path, format!("{bind} is neither among keys nor a {{segment}} of the path{hint}"));
                }
                _ => {}
            }
        }
        for (parameter, allowed) in &route.values {
            let path = format!("{path}.values.{parameter}");
            if route.keys.as_ref().is_some_and(|keys| !keys.iter().any(|key| key.covers(parameter))) {
                self.say(&path, "not among keys: add it there");
            }
            if allowed.is_empty() {
                self.say(&path, "no value is allowed: write at least one");
            }
        }
        for key in route.keys.iter().flatten() {
            if self.manifest.http.refuse_parameters.iter().any(|refused| refused == key.name()) {
                self.say(
                    format!("{path}.keys"),
                    format!("{key} is refused by http.refuse_parameters: remove it from one of them"),
                );
            }
            if route.fill.contains_key(key.name()) {
                self.say(format!("{path}.fill.{}", key.name()), "the host sets it: remove it from keys");
            }
        }
        if !route.fill.is_empty() && capability.access != Access::Subscribe {
            self.say(format!("{path}.fill"), "only subscriptions have a token and a callback: remove it");
        }
        if capability.access == Access::Read {
            let misplaced = [
                ("bind", !route.bind.is_empty()),
                ("repeat", route.repeat != Repeat::Never),
                ("body", route.body != Body::Parameters),
            ];
            for (key, _) in misplaced.into_iter().filter(|(_, given)| *given) {
                self.say(format!("{path}.{key}"), "is for writes: remove it, or move the route to a write capability");
            }
        }
        match (&route.repeat_key, route.repeat == Repeat::Key) {
            (None, true) => self.say(
                format!("{path}.repeat_key"),
                "missing: write where the key stands, as { parameter = \"id\", done = [409] } or { header = \"idempotency-key\" }",
            ),
            (Some(_), false) => self.say(format!("{path}.repeat_key"), "has a meaning with repeat = \"key\" only"),
            (Some(key), true) if key.parameter.is_some() == key.header.is_some() => {
                self.say(format!("{path}.repeat_key"), "write parameter or header, one of them");
            }
            _ => {}
        }
        let parameter = route.repeat_key.as_ref().and_then(|key| key.parameter.as_ref());
        if let (Some(keys), Some(parameter)) = (&route.keys, parameter)
            && !keys.iter().any(|key| key.covers(parameter))
        {
            self.say(format!("{path}.repeat_key.parameter"), "not among keys: add it there");
        }
        if let Some(header) =
            route.repeat_key.as_ref().and_then(|key| key.header.as_ref()).filter(|header| header.is_forbidden())
        {
            self.say(format!("{path}.repeat_key.header"), format!("{header} cannot carry a key"));
        }
    }

    /// The capabilities that a list names; says which do not exist or stand twice.
    fn named(&mut self, path: &str, ids: &[CapabilityId]) -> Vec<&Capability> {
        let manifest = self.manifest;
        let known: Vec<&str> = manifest.capabilities.iter().map(|capability| capability.id.as_str()).collect();
        let mut found = Vec::new();
        for (at, id) in ids.iter().enumerate() {
            if ids[..at].contains(id) {
                self.say(format!("{path}[{at}]"), format!("{id} stands twice"));
            }
            match manifest.capability(id.as_str()) {
                Some(capability) => found.push(capability),
                None => self.say(
                    format!("{path}[{at}]"),
                    format!("no capability {:?}{}", id.as_str(), near(id.as_str(), &known)),
                ),
            }
        }
        if ids.is_empty() {
            self.say(path, "no capability: nothing could be asked");
        }
        found
    }

    fn tools(&mut self) {
        self.unique("tool", "name", self.manifest.tools.iter().map(|tool| tool.name.as_str()));
        for (at, tool) in self.manifest.tools.iter().enumerate() {
            self.tool(&format!("tool[{at}]"), tool);
        }
    }

    fn tool(&mut self, path: &str, tool: &Tool) {
        let list = format!("{path}.capabilities");
        let access: Vec<(Access, String)> = self
            .named(&list, &tool.capabilities)
            .into_iter()
            .map(|named| (named.access, named.id.to_string()))
            .collect();
        if let Some((_, id)) = access.iter().find(|(access, _)| *access == Access::Subscribe) {
            self.say(&list, format!("{id} is for [webhook].subscribe: no tool may use it"));
        }
        let writes = access.iter().find(|(access, _)| *access == Access::Write);
        match (tool.effect, writes) {
            (Effect::Read, Some((_, id))) => {
                self.say(
                    format!("{path}.effect"),
                    format!("{id} writes: write effect = \"write\", or remove the capability"),
                );
            }
            (Effect::Write | Effect::Destructive, None) if access.len() == tool.capabilities.len() => {
                self.say(
                    format!("{path}.effect"),
                    "none of its capabilities writes: write effect = \"read\", or name one that does",
                );
            }
            _ => {}
        }
        match (tool.effect, tool.max_writes) {
            (Effect::Read, 0) => {}
            (Effect::Read, _) => self.say(format!("{path}.max_writes"), "a tool that reads makes no writes: remove it"),
            (_, 0) => self.say(format!("{path}.max_writes"), "write how many writes one call may make, at least 1"),
            (_, 1..=MAX_WRITES) => {}
            (_, _) => {
                self.say(format!("{path}.max_writes"), format!("at most {MAX_WRITES}: nobody can approve more at once"))
            }
        }
        if tool.effect == Effect::Read && tool.destination.is_some() {
            self.say(format!("{path}.destination"), "a tool that reads has no destination: remove it");
        }
        for (at, pointer) in tool.control.iter().enumerate().filter(|(_, pointer)| pointer.as_str().is_empty()) {
            self.say(
                format!("{path}.control[{at}]"),
                format!("{:?} is all arguments at once: name one", pointer.as_str()),
            );
        }
    }

    fn sync(&mut self) {
        let Some(sync) = &self.manifest.sync else { return };
        let others: Vec<String> = self
            .named("sync.capabilities", &sync.capabilities)
            .into_iter()
            .filter(|capability| capability.access != Access::Read)
            .map(|capability| capability.id.to_string())
            .collect();
        for id in others {
            self.say("sync.capabilities", format!("{id} does not read: a sync only reads"));
        }
        if sync.sweep.duration() < sync.interval.duration() {
            self.say("sync.sweep", "shorter than the interval: a sweep is a pull, or several");
        }
    }

    fn rate_limits(&mut self) {
        for (at, limit) in self.manifest.rate_limits.iter().enumerate() {
            let path = format!("rate_limit[{at}]");
            if limit.per.is_empty() {
                self.say(
                    format!("{path}.per"),
                    "write what has a bucket of its own: client, workspace, connection or route",
                );
            }
            if limit.routes.is_empty() {
                self.say(format!("{path}.routes"), "no route: it would limit nothing");
            }
            for (number, template) in limit.routes.iter().enumerate() {
                self.template(&format!("{path}.routes[{number}]"), template);
            }
            let keys: Vec<&str> = self.manifest.settings.iter().map(|setting| setting.key.as_str()).collect();
            for (key, choices) in &limit.when {
                match self.manifest.settings.iter().find(|setting| setting.key == *key) {
                    None => self.say(
                        format!("{path}.when.{key}"),
                        format!("no setting {:?}{}", key.as_str(), near(key.as_str(), &keys)),
                    ),
                    Some(setting) => {
                        for choice in choices.iter().filter(|choice| !setting.choices.contains(choice)) {
                            self.say(
                                format!("{path}.when.{key}"),
                                format!("{choice:?} is none of the choices: {}", setting.choices.join(", ")),
                            );
                        }
                    }
                }
            }
        }
    }

    fn answers(&mut self) {
        for (at, answer) in self.manifest.answers.iter().enumerate() {
            let path = format!("answer[{at}]");
            for (number, name) in answer.origins.iter().enumerate() {
                if !self.manifest.origins.contains_key(name) {
                    self.unknown_origin(&format!("{path}.origins[{number}]"), name);
                }
            }
            if answer.origins.is_empty() {
                self.say(format!("{path}.origins"), "no origin: it would mean nothing");
            }
            let mut codes = HashSet::new();
            let all = [&answer.refresh, &answer.reauth, &answer.rate_limited, &answer.forbidden, &answer.not_found];
            for code in all.into_iter().flatten() {
                if !codes.insert(code) {
                    self.say(&path, format!("{code:?} stands twice: a code has one meaning"));
                }
            }
            if codes.is_empty() {
                self.say(&path, "no code: write what replies mean, as forbidden = [\"missing_scope\"]");
            }
        }
    }

    fn webhook(&mut self, webhook: &Webhook) {
        let subscribe =
            if webhook.subscribe.is_empty() { Vec::new() } else { self.named("webhook.subscribe", &webhook.subscribe) };
        let others: Vec<String> = subscribe
            .into_iter()
            .filter(|capability| capability.access != Access::Subscribe)
            .map(|capability| capability.id.to_string())
            .collect();
        for id in others {
            self.say("webhook.subscribe", format!("{id} is not for subscriptions: write access = \"subscribe\" there"));
        }
        if webhook.verify.is_none() && webhook.signature.is_none() {
            self.say("webhook", "anybody could send deliveries: write signature or verify");
        }
        if let Some(verify) = &webhook.verify {
            self.secret("webhook.verify.equals", &verify.equals, webhook);
        }
        if let Some(signature) = &webhook.signature {
            self.secret("webhook.signature.key", &signature.key, webhook);
            for name in signature.message.placeholders() {
                let header = name.strip_prefix("header.").is_some_and(|name| name.parse::<HeaderName>().is_ok());
                if !header && name != "body" && name != "callback_url" {
                    self.say(
                        "webhook.signature.message",
                        format!("{{{name}}} stands for nothing: known are body, callback_url and header.NAME"),
                    );
                }
            }
            if !signature.message.placeholders().any(|name| name == "body") {
                self.say("webhook.signature.message", "{body} does not stand in it: the content would not be signed");
            }
            if !matches!(signature.format.placeholders().collect::<Vec<_>>().as_slice(), ["hex" | "base64"]) {
                self.say("webhook.signature.format", "write {hex} or {base64} where the signature stands, once");
            }
        }
        let by_subscription = webhook.connections.matches == super::SubscriptionMatch::Subscription;
        if by_subscription && webhook.subscribe.is_empty() {
            self.say(
                "webhook.connections.match",
                "there are no subscriptions of ours: name their capability in subscribe",
            );
        }
        if let Place::Pointer(pointer) = &webhook.connections.place
            && pointer.as_str().is_empty()
        {
            self.say("webhook.connections.pointer", "the whole body names nobody: write where the id stands");
        }
    }

    fn secret(&mut self, path: &str, secret: &Secret, webhook: &Webhook) {
        match secret {
            Secret::Client(field) if !self.manifest.client.fields.contains(field) => {
                self.say(path, format!("no client field {field}: add it to client.fields"));
            }
            Secret::Captured(name) => {
                let captures =
                    |handshake: &Handshake| matches!(handshake, Handshake::Capture { capture, .. } if capture == name);
                if !webhook.handshake.iter().any(captures) {
                    self.say(path, format!("no handshake captures {name}"));
                }
            }
            Secret::SubscriptionToken if webhook.subscribe.is_empty() => {
                self.say(path, "there are no subscriptions of ours: name their capability in subscribe");
            }
            _ => {}
        }
    }
}

/// ": did you mean …?", or what there is.
fn near(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!(": did you mean {near:?}?"),
        None if known.is_empty() => ": none is declared".to_owned(),
        None => format!(": there are {}", known.join(", ")),
    }
}
