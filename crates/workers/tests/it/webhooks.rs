//! Does a message go where it should and nowhere else, and is it known how it fared?

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use testkit::receiver::{Act, Receiver};
use workers::webhooks::{Answer, Lookup, Names, Parcel, Reach, SendError, Sender, Target};

const PATIENCE: Duration = Duration::from_secs(2);
const DEVELOPMENT: Reach = Reach {
    http: true,
    private: true,
};
/// Names are looked at; only that tests have no TLS is not.
const GUARDED: Reach = Reach {
    http: true,
    private: false,
};

/// Answers with these addresses in turn, the last ones for ever.
struct Answers(Mutex<Vec<Vec<IpAddr>>>);

impl Answers {
    fn with(answers: &[&[&str]]) -> Arc<Self> {
        let read = |addresses: &&[&str]| addresses.iter().map(|one| one.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().rev().map(read).collect())))
    }
}

impl Names for Answers {
    fn lookup(&self, _host: String) -> Lookup {
        let mut answers = self.0.lock().unwrap();
        let found = if answers.len() > 1 {
            answers.pop()
        } else {
            answers.first().cloned()
        };
        Box::pin(std::future::ready(Ok(found.unwrap_or_default())))
    }
}

fn sender(reach: Reach, names: Arc<Answers>) -> Sender {
    Sender::with_names(reach, names, PATIENCE).unwrap()
}

fn parcel(url: &str, reach: Reach) -> Parcel {
    Parcel {
        target: Target::parse(url, reach).unwrap(),
        id: "msg_1".to_owned(),
        timestamp: 1_700_000_000,
        signature: "v1,abc= v1,def=".to_owned(),
        body: r#"{"type":"incident.created"}"#.to_owned(),
    }
}

async fn send(receiver: &Receiver) -> Result<Answer, SendError> {
    let sender = sender(DEVELOPMENT, Answers::with(&[&["127.0.0.1"]]));
    sender.send(parcel(&receiver.url(), DEVELOPMENT)).await
}

#[tokio::test]
async fn a_message_arrives_with_its_headers_and_is_posted_once() {
    let receiver = Receiver::start().await;
    let answer = send(&receiver).await;
    assert_eq!(
        answer,
        Ok(Answer {
            status: 200,
            retry_after: None
        })
    );
    let [one] = &receiver.received()[..] else {
        panic!("{:?}", receiver.received())
    };
    assert_eq!(one.line, "POST /hook HTTP/1.1");
    assert_eq!(one.body, r#"{"type":"incident.created"}"#);
    let headers = [
        "content-type",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    ];
    assert_eq!(
        headers.map(|name| one.header(name)),
        ["application/json", "msg_1", "1700000000", "v1,abc= v1,def="]
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_nobody_follows_it() {
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    for status in [301, 302, 303, 307, 308] {
        receiver.play(&[Act::Answer(status, format!("location: {}\r\n", elsewhere.url()))]);
        assert_eq!(send(&receiver).await.unwrap().status, status);
    }
    assert_eq!((receiver.received().len(), elsewhere.connections()), (5, 0));
}

#[tokio::test]
async fn a_name_that_leads_inside_is_never_connected_to() {
    let receiver = Receiver::start().await;
    let url = format!("http://receiver.example:{}/hook", receiver.port());
    for addresses in [
        &["127.0.0.1"][..],
        &["8.8.8.8", "127.0.0.1"],
        &["10.0.0.1"],
        &["169.254.169.254"],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["fd00:ec2::254"],
    ] {
        let guarded = sender(GUARDED, Answers::with(&[addresses]));
        let sent = guarded.send(parcel(&url, GUARDED)).await;
        assert_eq!(sent, Err(SendError::UnsafeAddress), "{addresses:?}");
    }
    assert_eq!(receiver.connections(), 0);
    // The same name reaches it where nobody looks: that there was no connection is the guard's doing.
    let open = sender(DEVELOPMENT, Answers::with(&[&["127.0.0.1"]]));
    assert!(open.send(parcel(&url, DEVELOPMENT)).await.is_ok());
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_tomorrow_is_looked_at_again() {
    let receiver = Receiver::start().await;
    // Nobody answers at the first, which is for documents and so not public either; what counts is the second look.
    let names = Answers::with(&[&["1.1.1.1"], &["127.0.0.1"]]);
    let looked = names.lookup("receiver.example".to_owned()).await.unwrap();
    assert_eq!(looked, ["1.1.1.1".parse::<IpAddr>().unwrap()]);
    let url = format!("http://receiver.example:{}/hook", receiver.port());
    let sent = sender(GUARDED, names).send(parcel(&url, GUARDED)).await;
    assert_eq!((sent, receiver.connections()), (Err(SendError::UnsafeAddress), 0));
}

#[tokio::test]
async fn who_says_nothing_or_nonsense_or_is_not_there_has_not_received() {
    let receiver = Receiver::start().await;
    let began = Instant::now();
    receiver.play(&[Act::Silence]);
    assert_eq!(send(&receiver).await, Err(SendError::Timeout));
    assert!(began.elapsed() < PATIENCE * 4, "{:?}", began.elapsed());
    receiver.play(&[Act::Write("nonsense\r\n\r\n".to_owned())]);
    assert_eq!(send(&receiver).await, Err(SendError::Malformed));
    let endless = format!("HTTP/1.1 200 X\r\n{}", "x-more: and more\r\n".repeat(40_000));
    receiver.play(&[Act::Write(endless)]);
    assert_eq!(send(&receiver).await, Err(SendError::Malformed));
    let nobody = sender(DEVELOPMENT, Answers::with(&[&["127.0.0.1"]]));
    let sent = nobody.send(parcel("http://127.0.0.1:1024/", DEVELOPMENT)).await;
    assert_eq!(sent, Err(SendError::Unreachable));
    let unknown = sender(DEVELOPMENT, Answers::with(&[&[]]));
    let sent = unknown
        .send(parcel("http://receiver.example/", DEVELOPMENT))
        .await;
    assert_eq!(sent, Err(SendError::Unreachable));
}

#[tokio::test]
async fn what_is_answered_beside_the_status_is_not_waited_for() {
    let receiver = Receiver::start().await;
    let large = format!("HTTP/1.1 200 X\r\n\r\n{}", "x".repeat(10_000_000));
    receiver.play(&[Act::Write(large)]);
    let began = Instant::now();
    assert_eq!(send(&receiver).await.unwrap().status, 200);
    assert!(began.elapsed() < PATIENCE * 4, "{:?}", began.elapsed());
    for (value, seconds) in [
        ("120", Some(120)),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
    ] {
        receiver.play(&[Act::Answer(429, format!("retry-after: {value}\r\n"))]);
        let answer = send(&receiver).await.unwrap();
        assert_eq!((answer.status, answer.retry_after), (429, seconds), "{value}");
    }
}
