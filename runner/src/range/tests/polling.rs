//! The firewall's way with a list that comes, stays or fails.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::{get, range};
use crate::range::{Poll, Polled};

/// Answers each connection with the next text and returns the requests it saw.
async fn scripted(answers: Vec<&'static str>) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = tokio::spawn(async move {
        let mut seen = Vec::new();
        for answer in answers {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                stream.read_line(&mut head).await.unwrap();
            }
            seen.push(head);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        seen
    });
    (address, seen)
}

#[tokio::test]
async fn the_firewall_keeps_its_list_until_it_gets_another() {
    let answers = vec![
        "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 24\r\nconnection: close\r\n\r\n203.0.113.7\n203.0.113.9\n",
        "HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\netag: \"2\"\r\ncontent-length: 12\r\nconnection: close\r\n\r\n203.0.113.9\n",
    ];
    let (server, seen) = scripted(answers).await;
    let range = range().await;
    let poll = Poll {
        server,
        path: "/edl/ville-exemple/ip.txt".to_owned(),
        token: "t".to_owned(),
        every: Duration::from_secs(1),
    };
    let firewall = range.firewall();
    assert!(matches!(firewall.poll(&poll).await, Polled::Changed { added, .. } if added.len() == 2));
    assert_eq!(firewall.poll(&poll).await, Polled::Unchanged);
    assert!(matches!(firewall.poll(&poll).await, Polled::Failed(why) if why.contains("503")));
    assert_eq!(firewall.entries().len(), 2);
    assert!(
        matches!(firewall.poll(&poll).await, Polled::Changed { removed, .. } if removed == ["203.0.113.7"])
    );
    assert_eq!(
        (firewall.entries().len(), firewall.ever().len(), firewall.count()),
        (1, 2, 4)
    );
    let seen = seen.await.unwrap();
    assert!(!seen[0].contains("if-none-match") && seen[0].contains("Bearer t"));
    assert!(seen[1].contains("if-none-match: \"1\""), "{}", seen[1]);
    let (_, page) = get(&range, "/range/firewall", ("x", "y")).await;
    assert!(page.as_str().unwrap().contains("<code>203.0.113.9</code>"));
}

#[tokio::test]
async fn each_list_has_its_own_entries_and_its_own_tag() {
    let answers = vec![
        "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 12\r\nconnection: close\r\n\r\n203.0.113.7\n",
        "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 13\r\nconnection: close\r\n\r\nevil.example\n",
        "HTTP/1.1 200 OK\r\netag: \"2\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    ];
    let (server, seen) = scripted(answers).await;
    let range = range().await;
    let poll = |path: &str| Poll {
        server,
        path: path.to_owned(),
        token: "t".to_owned(),
        every: Duration::from_secs(1),
    };
    let firewall = range.firewall();
    firewall.poll(&poll("/edl/ville-exemple/ip.txt")).await;
    firewall.poll(&poll("/edl/ville-exemple/domain.txt")).await;
    assert_eq!(
        firewall.entries().into_iter().collect::<Vec<_>>(),
        ["203.0.113.7", "evil.example"]
    );
    firewall.poll(&poll("/edl/ville-exemple/ip.txt")).await;
    assert_eq!(
        firewall.entries().into_iter().collect::<Vec<_>>(),
        ["evil.example"]
    );
    assert_eq!(firewall.lists().len(), 2);
    let seen = seen.await.unwrap();
    assert!(
        !seen[1].contains("if-none-match"),
        "a tag belongs to one list: {}",
        seen[1]
    );
}
