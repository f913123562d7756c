//! What does a plain proxy do on the same machine?

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Outcome, say};

/// Where distributions put it; it is on the path of root only.
const PROGRAMS: [&str; 2] = ["nginx", "/usr/sbin/nginx"];

/// The longest it may take to start.
const STARTS_WITHIN: Duration = Duration::from_secs(5);

/// A running nginx that passes everything on.
pub(crate) struct Nginx {
    child: Child,
    pub(crate) addr: SocketAddr,
}

impl Nginx {
    /// Starts it in front of this upstream, as a process of ours; none, said loudly, if it is not installed.
    pub(crate) fn start(dir: &Path, upstream: SocketAddr) -> Outcome<Option<Self>> {
        let runs = |program: &&&str| {
            Command::new(program)
                .arg("-v")
                .stderr(Stdio::null())
                .status()
                .is_ok()
        };
        let Some(program) = PROGRAMS.iter().find(runs) else {
            say("NOT RUN: nginx is not installed (apt-get install -y nginx-light); its rows are null");
            return Ok(None);
        };
        // Free a moment ago: nginx cannot say which port it took.
        let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let (file, log) = (dir.join("nginx.conf"), dir.join("nginx.log"));
        std::fs::write(&file, configuration(dir, addr, upstream))?;
        let child = Command::new(program)
            .arg("-p")
            .arg(dir)
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.join("nginx.err"))?)
            .spawn()?;
        let mut nginx = Self { child, addr };
        let by = Instant::now() + STARTS_WITHIN;
        while TcpStream::connect(addr).is_err() {
            if nginx.child.try_wait()?.is_some() || Instant::now() > by {
                return Err(format!(
                    "nginx did not start: see nginx.log and nginx.err in {}",
                    dir.display()
                )
                .into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Some(nginx))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A kill that cannot be caught would leave its workers behind.
        drop(Command::new("kill").arg(self.child.id().to_string()).status());
        drop(self.child.wait());
    }
}

/// What a careful operator would write: connections are kept on both sides, nothing is logged or buffered to disk.
fn configuration(dir: &Path, listen: SocketAddr, upstream: SocketAddr) -> String {
    let dir = dir.to_string_lossy();
    let names = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = names
        .map(|name| ["    ", name, "_temp_path ", &dir, "/nginx-temp;\n"].concat())
        .concat();
    format!(
        "daemon off;\nworker_processes auto;\npid {dir}/nginx.pid;\nevents {{ worker_connections 4096; }}\n\
         http {{\n    access_log off;\n    keepalive_requests 1000000000;\n{temporary}    \
         upstream provider {{\n        server {upstream};\n        keepalive 256;\n        \
         keepalive_requests 1000000000;\n    }}\n    \
         server {{\n        listen {listen};\n        location / {{\n            proxy_pass http://provider;\n            \
         proxy_http_version 1.1;\n            proxy_set_header Connection \"\";\n        }}\n    }}\n}}\n"
    )
}
