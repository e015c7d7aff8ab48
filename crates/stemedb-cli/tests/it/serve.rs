//! The server as a process: what it acknowledged survives a kill, and signals end it in order.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, ChildStderr, Command, Stdio},
    thread::park_timeout,
    time::Duration,
};

use serde_json::Value;

use super::support::Home;

const CLAIM: &str = r#"{"subject":"s","predicate":"p","object":1,"agent":"a"}"#;

/// After this long, a server that says nothing hangs.
const PATIENCE: Duration = Duration::from_secs(100);

/// A server that is ended with the test.
pub(super) struct Server {
    pub(super) child: Child,
    pub(super) stderr: BufReader<ChildStderr>,
    pub(super) address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        self.child.wait().unwrap();
    }
}

impl Server {
    pub(super) fn start(home: &Home) -> Self {
        Self::of(home.command(["serve", "--listen", "127.0.0.1:0"])).0
    }

    /// A server, and what it said before it told of its address.
    pub(super) fn of(mut command: Command) -> (Self, String) {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let start = said.len();
            assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
            if let Some((_, rest)) = said[start..].split_once("listening on ") {
                let (_, rest) = rest.split_once("://").unwrap();
                let end = rest.find(['"', '\n']).unwrap();
                break rest[..end].parse().unwrap();
            }
        };
        let server = Self {
            child,
            stderr,
            address,
        };
        (server, said)
    }

    /// Where it is, as `--url` takes it.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends one request, and reads the answer: its status and its body.
    pub(super) fn ask(&self, head: &str, body: &str) -> (u16, Value) {
        let (head, body) = self.ask_text(head, body);
        let status = head.split(' ').nth(1).unwrap();
        (
            status.parse().unwrap(),
            serde_json::from_str(&body).unwrap(),
        )
    }

    /// Sends one request, and reads the answer: its head and its body.
    pub(super) fn ask_text(&self, head: &str, body: &str) -> (String, String) {
        let mut stream = self.connect();
        let length = body.len();
        write!(stream, "{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    pub(super) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let kill = kill.args(["-s", name, &self.child.id().to_string()]);
        assert!(kill.status().unwrap().success());
    }

    /// The code with which it ends.
    pub(super) fn code(&mut self) -> Option<i32> {
        const LOOK: Duration = Duration::from_millis(5);
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            park_timeout(LOOK);
            waited += LOOK;
        }
        panic!("it does not end");
    }
}

/// Reads up to a line that begins like this, and gives the rest of it.
fn line_with(stderr: &mut BufReader<ChildStderr>, start: &str) -> String {
    let mut said = String::new();
    loop {
        let mut line = String::new();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "{said}");
        if let Some(rest) = line.strip_prefix(start) {
            return rest.to_owned();
        }
        said.push_str(&line);
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let home = Home::new();
    let mut server = Server::start(&home);
    let (status, receipt) = server.ask("POST /v1/assertions", CLAIM);
    assert_eq!((status, &receipt["durability"]), (201, &"sync".into()));
    server.child.kill().unwrap();
    assert_eq!(server.code(), None);

    let server = Server::start(&home);
    let id = receipt["id"].as_str().unwrap();
    let (status, record) = server.ask(&format!("GET /v1/records/{id}"), "");
    assert_eq!((status, &record["id"]), (200, &receipt["id"]));
    let (status, again) = server.ask("POST /v1/assertions", CLAIM);
    assert_eq!((status, &again["sequence"]), (200, &receipt["sequence"]));
}

#[test]
fn a_signal_ends_it_in_order() {
    for name in ["TERM", "INT"] {
        let home = Home::new();
        let mut server = Server::start(&home);
        let (_, receipt) = server.ask("POST /v1/assertions", CLAIM);
        server.signal(name);
        assert_eq!(server.code(), Some(0));
        let id = receipt["id"].as_str().unwrap();
        let found = home.run(["get", "--json", id]).fine();
        assert_eq!(found.json()["sequence"], 1);
        home.run(["verify"]).fine();
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let home = Home::new();
    let mut server = Server::start(&home);
    let mut stream = server.connect();
    let head = "POST /v1/assertions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 99\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // It asks for a body that will not come.
    let mut asked = [0; 12];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100");
    server.signal("TERM");
    line_with(&mut server.stderr, "stopping");
    server.signal("TERM");
    line_with(
        &mut server.stderr,
        "error: stopped before everything was answered",
    );
    assert_eq!(server.code(), Some(4));
    home.run(["verify"]).fine();
}

#[test]
fn it_says_that_it_creates_and_does_not_share_a_database() {
    let home = Home::new();
    let mut child = home.start(["serve", "--listen", "127.0.0.1:0"]);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let created = line_with(&mut stderr, "created a database in ");
    assert_eq!(created, "./stemedb-data\n");
    line_with(&mut stderr, "listening on http://127.0.0.1:");
    let second = home.run(["serve", "--listen", "127.0.0.1:0"]);
    second.failed(4, &["in use", &child.id().to_string()]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn addresses_that_it_does_not_listen_on_create_nothing() {
    let home = Home::new();
    for public in [
        "0.0.0.0:0",
        "[::]:0",
        "192.0.2.1:80",
        "[::ffff:192.0.2.1]:80",
    ] {
        let refused = home.run(["serve", "--insecure-http", "--listen", public]);
        refused.failed(2, &["--listen", public, "no token", "stemedb token create"]);
    }
    home.run(["serve", "--listen", "nowhere"]).ended(2);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = home.run(["serve", "--listen", &address]);
    refused.failed(4, &["--listen", &address, "stop who listens there"]);
    let half = home.run(["serve", "--tls-cert", "cert.pem"]);
    half.failed(2, &["--tls-cert and --tls-key"]);
    let none = home.run(["serve", "--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    none.failed(2, &["cert.pem", "--tls-cert"]);
    assert!(!home.path("stemedb-data").exists());
}

#[test]
fn a_public_address_needs_a_token_and_tls() {
    let home = Home::new();
    home.run(["init", "-q"]).fine();
    let made = home.run([
        "token", "create", "--name", "a", "--scope", "read", "--json",
    ]);
    let id = made.fine().json()["id"].as_str().unwrap().to_owned();
    let public = ["serve", "--listen", "0.0.0.0:0"];
    home.run(public)
        .failed(2, &["without TLS", "--insecure-http"]);
    home.run(["token", "revoke", &id]).fine();
    let none_left = home.run(["serve", "--listen", "0.0.0.0:0", "--insecure-http"]);
    none_left.failed(2, &["no token", "stemedb token create"]);
}

/// Without descriptors nobody can be let in: that passes, and does not end the server.
#[test]
fn running_out_of_descriptors_is_waited_out() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_stemedb");
    let script = format!("ulimit -n 100; exec {program} serve --listen 127.0.0.1:0");
    let command = home.program("sh", ["-c", &script]);
    let (mut server, _) = Server::of(command);
    let crowd: Vec<TcpStream> = (0..150).map(|_| server.connect()).collect();
    drop(crowd);
    let (status, _) = server.ask("GET /healthz/live", "");
    assert_eq!(status, 200);
    server.signal("TERM");
    assert_eq!(server.code(), Some(0));
}

/// Whoever runs a server may stop reading its log: a pipe holds 64 KiB, and then a write to it waits.
#[test]
fn a_log_that_nobody_reads_holds_nobody_up() {
    const REQUEST: &str = "GET /healthz/live HTTP/1.1\r\nhost: localhost\r\n\r\n";
    const ANSWER: &str = r#"{"status":"live"}"#;
    let home = Home::new();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--log", "info"];
    let (mut server, _) = Server::of(home.command(serve));
    let mut stream = server.connect();
    let mut burst = || {
        stream.write_all(REQUEST.repeat(30).as_bytes()).unwrap();
        let mut answers = String::new();
        while answers.matches(ANSWER).count() < 30 {
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).unwrap();
            assert!(read > 0, "{answers}");
            answers.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
    };
    (0..100).for_each(|_| burst());
    // Once it is read again it tells what is missing.
    let mut line = String::new();
    while !line.contains("lines of the log were dropped") {
        line.clear();
        assert!(server.stderr.read_line(&mut line).unwrap() > 0);
    }
    (0..50).for_each(|_| burst());
    server.signal("TERM");
    assert_eq!(server.code(), Some(0));
}

/// As systemd hears it with `Type=notify`: ready when requests are answered, and stopping when it is told to end.
#[cfg(target_os = "linux")]
#[test]
fn a_manager_of_services_hears_when_it_answers_and_when_it_ends() {
    use std::os::unix::net::UnixDatagram;

    let home = Home::new();
    let path = home.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut text = [0; 64];
        let length = manager.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    let mut command = home.command(["serve", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path);
    let (mut server, _) = Server::of(command);
    assert_eq!(heard(), "READY=1\n");
    assert_eq!(server.ask("GET /healthz/ready", "").0, 200);
    server.signal("TERM");
    assert_eq!(heard(), "STOPPING=1\n");
    assert_eq!(server.code(), Some(0));

    // A manager that is gone hinders nobody.
    drop(manager);
    let mut command = home.command(["serve", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path);
    let (server, _) = Server::of(command);
    assert_eq!(server.ask("GET /healthz/ready", "").0, 200);
}

#[test]
fn its_health_is_asked_where_it_listens_or_at_a_url() {
    let home = Home::new();
    let server = Server::start(&home);
    let ask = |variable: &str, value: &str, args: &[&str]| {
        let mut command = home.command([&["health"], args].concat());
        let output = command.env(variable, value).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let everywhere = format!("0.0.0.0:{}", server.address.port());
    let url = server.url();
    let (code, said, noted) = ask("STEMEDB_LISTEN", &everywhere, &[]);
    assert_eq!(
        (code, said.as_str()),
        (0, format!("{url} is ready\n").as_str())
    );
    assert_eq!(noted, "");
    let (code, said, _) = ask("STEMEDB_URL", &url, &["--json"]);
    assert_eq!((code, said.as_str()), (0, "{\"status\":\"ready\"}\n"));
    drop(server);
    let (code, said, noted) = ask("STEMEDB_URL", &url, &[]);
    assert_eq!((code, said.as_str()), (4, ""));
    assert!(
        noted.contains("is `stemedb serve` running there?"),
        "{noted}"
    );
}
