//! The whole runtime over ports in memory, with a service that may be read and one that nothing may reach.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use sallyport::admission::Word;
use sallyport::connection::{Connection, Constraints, Owner, Setting};
use sallyport::credentials::NewSecret;
use sallyport::egress::EgressConfig;
use sallyport::engine::Limits;
use sallyport::ids::{CapabilityId, ConnectorId, SourceId, StreamId, ToolName};
use sallyport::invoke::{Connect, SyncOptions};
use sallyport::keys::{MasterKey, Secret};
use sallyport::ports::Directory as _;
use sallyport::testing::{ManualClock, MemoryStore};
use sallyport::tool::{Outcome, ToolCall, Tools as _, Verdict};
use sallyport::wire::{Lookup, Repoint, WireConfig};
use sallyport::{Blame, Fault as _, InvokeError, Ports, Runtime};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::connector::{TOKEN, admin, registry, slot};
use crate::guest;

/// Which export runs the script, by its first byte: a tool that reads, one that writes, a pull, `streams`, `identify`.
pub const MODES: u8 = 5;

/// Longer than all limits on time together, on a machine that has other things to do.
const DEADLINE: Duration = Duration::from_secs(20);
/// After so many scripts it begins anew: what is in memory is never given back.
const RENEWED: u32 = 1_000;
/// As often an honest call has to be well.
const HONEST: u32 = 16;

static FILE: LazyLock<Vec<u8>> = LazyLock::new(guest::connector);

fn limits() -> Limits {
    Limits {
        instances: 2,
        memory: 2 << 20,
        handles: 64,
        cpu_between_calls: Duration::from_millis(20),
        cpu_tool: Duration::from_millis(50),
        cpu_pull: Duration::from_millis(50),
        wall_tool: Duration::from_secs(2),
        wall_pull: Duration::from_secs(2),
        host_call: 256 << 10,
        calls: 64,
        inline: 64 << 10,
        inline_all: 96 << 10,
        send_all: 4,
        blob: 64 << 10,
        blobs: 128 << 10,
        emit: 16 << 10,
        staged: 32 << 10,
        cursor: 1 << 10,
        log: 1 << 10,
        pulls: 3,
        idle_checkpoints: 8,
        ..Limits::default()
    }
}

/// Every origin is re-pointed: whoever asks for a name is on the way to somewhere else.
struct Nowhere;

#[async_trait::async_trait]
impl Lookup for Nowhere {
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        panic!("{host} was to be reached")
    }
}

pub struct Host {
    tokio: tokio::runtime::Runtime,
    runtime: Runtime,
    store: Arc<MemoryStore>,
    connection: Connection,
    shut: TcpListener,
    scripts: u32,
}

impl Default for Host {
    fn default() -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let shut = TcpListener::bind("127.0.0.1:0").expect("a port");
        shut.set_nonblocking(true).expect("a socket that does not wait");
        let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().expect("bound"));
        let open = TcpListener::bind("127.0.0.1:0").expect("a port");
        let repoint = [("acme.open", url(&open)), ("acme.api", url(&shut)), ("acme.port", url(&shut))];
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let wire = WireConfig {
            repoint: Repoint::new(repoint).expect("re-pointing"),
            timeout: Duration::from_secs(1),
            ..WireConfig::default()
        };
        let runtime = Runtime::builder(Ports::all(store.clone()), MasterKey::from_bytes([7; 32]))
            .registry(registry())
            .wire(wire)
            .lookup(Arc::new(Nowhere))
            .clock(clock)
            .limits(limits())
            .egress(EgressConfig { attempts: 2, pause: Duration::from_millis(1), ..EgressConfig::default() })
            .build()
            .expect("a runtime");
        let connection = tokio.block_on(async {
            serve(open);
            runtime.install(&admin(), FILE.clone(), Word::UNSIGNED).await.expect("installed");
            runtime.connect(&admin(), consent()).await.expect("connected")
        });
        Self { tokio, runtime, store, connection, shut, scripts: 0 }
    }
}

/// Everything but `api.read`, and a person is asked before anything is written.
fn consent() -> Connect {
    let secret = NewSecret { access: Secret::new(TOKEN), refresh: None, expires_in: None, scopes: vec!["all".into()] };
    let capabilities = [("open.read", Setting::Auto), ("api.write", Setting::Ask)];
    let capability = |id| CapabilityId::new(id).expect("a capability's id");
    Connect {
        connector: ConnectorId::new("acme").expect("an id"),
        auth: None,
        owner: Owner::Workspace,
        name: None,
        secrets: BTreeMap::from([(slot(), secret)]),
        capabilities: Some(capabilities.map(|(id, setting)| (capability(id), setting)).into()),
        constraints: Constraints::default(),
        settings: BTreeMap::new(),
        audience: Vec::new(),
    }
}

impl Host {
    /// Runs a script, whichever way its first byte says.
    pub fn run(&mut self, script: &[u8]) {
        if self.scripts == RENEWED {
            *self = Self::default();
        }
        self.scripts += 1;
        let begun = Instant::now();
        self.bind(script);
        let failed = match script.first().unwrap_or(&0) % MODES {
            0 => self.call("read_open").err(),
            1 => self.call("write_item").err(),
            2 | 3 => self.sync(),
            _ => self.tokio.block_on(self.runtime.identify(&admin(), &self.connection.id)).err(),
        };
        assert!(begun.elapsed() < DEADLINE, "it took {:?}", begun.elapsed());
        assert!(failed.as_ref().is_none_or(|error| error.blame() != Blame::Host), "the host is to blame: {failed:?}");
        let reached = self.shut.accept().map_err(|error| error.kind());
        assert_eq!(reached.err(), Some(ErrorKind::WouldBlock), "something reached what nothing may reach");
        if self.scripts.is_multiple_of(HONEST) {
            self.is_well();
        }
    }

    /// The script as the connection's account, and a source that nobody has put anything into.
    fn bind(&mut self, script: &[u8]) {
        self.connection.account = guest::letters(script);
        self.connection.source = SourceId::new(self.scripts.to_string());
        self.tokio.block_on(self.store.put_connection(&self.connection)).expect("kept in memory");
    }

    fn call(&self, tool: &str) -> Result<Outcome, InvokeError> {
        let call = ToolCall {
            connection: self.connection.id.clone(),
            tool: ToolName::new(tool).expect("a tool's name"),
            arguments: json!({ "list": "l1", "name": "Q4" }),
            verdict: Verdict::Allow,
            context: None,
        };
        self.tokio.block_on(self.runtime.call(&admin(), call))
    }

    fn sync(&self) -> Option<InvokeError> {
        let streams = vec![StreamId::new("all")];
        let options = SyncOptions { streams, patience: Duration::ZERO, ..SyncOptions::default() };
        let id = &self.connection.id;
        match self.tokio.block_on(self.runtime.sync(&self.connection.tenant, id, options, |_| ())) {
            Ok(report) => {
                let error =
                    report.streams.into_iter().filter_map(|stream| stream.error).find(|error| error.code == "host");
                error.map(|error| InvokeError::Host(error.message))
            }
            Err(error) => Some(error),
        }
    }

    /// An honest call in the place of whatever was there before.
    fn is_well(&mut self) {
        self.bind(&[]);
        match self.call("read_open") {
            Ok(Outcome::Done(done)) => assert_eq!(done.output, json!({ "ok": true })),
            // A machine that is busy elsewhere.
            Err(InvokeError::Trapped { limit: "wall" | "cpu" | "cpu-between-calls", .. }) => {}
            other => panic!("an honest call: {other:?}"),
        }
    }
}

/// The service that may be read: looks whether what comes was allowed to, and answers by the last letter of the path.
fn serve(listener: TcpListener) {
    listener.set_nonblocking(true).expect("a socket that does not wait");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that goes away ends its connection; that is nobody's failure.
            tokio::spawn(async move { talk(stream).await.ok() });
        }
    });
}

async fn talk(mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head in ASCII");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        while bytes.len() < end + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        bytes.drain(..end + length);
        let line = head.lines().next().unwrap_or_default();
        let path = allowed(line);
        assert!(!head.contains(TOKEN), "a secret went to an origin that takes none");
        let (status, headers, body) = answer(path);
        let mut said = format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n", body.len()).into_bytes();
        if !line.starts_with("HEAD") {
            said.extend(body);
        }
        stream.write_all(&said).await?;
    }
}

/// The path of a request line that one of `open`'s routes allows.
fn allowed(line: &str) -> &str {
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let pieces: Vec<&str> = path.split('/').skip(1).collect();
    let may = match (method, pieces.as_slice()) {
        ("GET", [""] | ["items"] | ["items", _] | ["items", _, "parts", _] | ["files", _, ..]) => true,
        ("HEAD", ["items", _]) | ("POST", ["query"]) => true,
        _ => false,
    };
    assert!(may, "no route allows {line:?}");
    path
}

fn answer(path: &str) -> (u16, &'static str, Vec<u8>) {
    const JSON: &str = "content-type: application/json\r\nset-cookie: a=b\r\netag: \"1\"\r\n";
    match path.as_bytes().last() {
        Some(b'a') => (302, "location: https://api.acme.example/secret\r\n", Vec::new()),
        Some(b'b') => (200, JSON, vec![b'x'; 70_000]),
        Some(b'c') => (200, "content-encoding: gzip\r\n", b"no gzip".to_vec()),
        Some(b'd') => (404, "content-type: text/plain; charset=utf-8\r\n", b"not here".to_vec()),
        Some(b'e') => (302, "location: /items/e\r\n", Vec::new()),
        Some(b'f') => (500, "", Vec::new()),
        Some(b'g') => (200, "content-type: text/html\r\n", vec![b'<'; 4_000]),
        _ => (200, JSON, br#"{"items":[{"id":"i1"}]}"#.to_vec()),
    }
}
