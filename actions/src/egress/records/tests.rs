//! Tests of egress records: behaviour at its edges and against hostile input.

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, MX, NS};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use playbooks::action_spec::ErrorKind;
use serde_json::json;
use tokio::net::UdpSocket;

use super::Records;
use crate::clock::TestClock;
use crate::connection::tests::loopback;
use crate::egress::Door;

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn data(kind: RecordType) -> Vec<RData> {
    match kind {
        RecordType::A => vec![RData::A(A::new(203, 0, 113, 9)), RData::A(A::new(203, 0, 113, 7))],
        RecordType::AAAA => vec![RData::AAAA(AAAA("2001:db8::7".parse().unwrap()))],
        RecordType::MX => vec![
            RData::MX(MX::new(20, name("backup.login.example."))),
            RData::MX(MX::new(10, name("MX.login.example."))),
            RData::MX(MX::new(0, Name::root())),
        ],
        RecordType::NS => vec![RData::NS(NS(name("ns1.login.example.")))],
        _ => Vec::new(),
    }
}

/// A resolver that knows `login.example`, says `ServFail` to `broken.example`, and NXDOMAIN else.
async fn resolver() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut buffer = [0_u8; 1_232];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let asked = Message::from_vec(&buffer[..length]).unwrap();
            let query = asked.queries[0].clone();
            let mut answer = Message::response(asked.metadata.id, OpCode::Query);
            let domain = query.name().to_ascii();
            answer.metadata.response_code = match domain.as_str() {
                "login.example." => ResponseCode::NoError,
                "broken.example." => ResponseCode::ServFail,
                _ => ResponseCode::NXDomain,
            };
            if domain == "login.example." {
                for data in data(query.query_type()) {
                    answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
                }
            }
            answer.add_query(query);
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

fn door(resolver: &str, allow_private: bool) -> Door {
    let mut settings = loopback("names", "dns", "http://unused.example/");
    settings.base_url = None;
    settings.allow_private = allow_private;
    settings.settings.insert("resolver".to_owned(), json!(resolver));
    Door::open(settings, TestClock::new()).unwrap()
}

#[tokio::test]
async fn every_kind_of_record_is_read_in_order() {
    let door = door(&resolver().await, true);
    let records = door.records("login.example").await.unwrap();
    assert_eq!(
        records,
        Records {
            a: vec!["203.0.113.7".parse().unwrap(), "203.0.113.9".parse().unwrap()],
            aaaa: vec!["2001:db8::7".parse().unwrap()],
            mx: vec!["mx.login.example".to_owned(), "backup.login.example".to_owned()],
            ns: vec!["ns1.login.example".to_owned()],
        }
    );
}

#[tokio::test]
async fn a_domain_that_does_not_exist_has_no_records_and_a_failure_is_one() {
    let door = door(&resolver().await, true);
    assert_eq!(door.records("gone.example").await.unwrap(), Records::default());
    let error = door.records("broken.example").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ServerError, "{error}");
}

#[tokio::test]
async fn the_resolver_is_an_address_that_the_connection_may_reach() {
    for (resolver, kind) in [
        ("127.0.0.1", ErrorKind::Policy),
        ("10.0.0.53:5353", ErrorKind::Policy),
        ("dns.example", ErrorKind::Invalid),
    ] {
        let error = door(resolver, false).records("login.example").await.unwrap_err();
        assert_eq!(error.kind, kind, "{resolver}: {error}");
        assert!(error.not_sent);
    }
}
