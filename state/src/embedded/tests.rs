//! The embedded store keeps the contract, and what it acknowledged.

use std::sync::Mutex;

use super::*;
use crate::store::Store;

#[tokio::test]
async fn keeps_the_contract() {
    let folders = Mutex::new(Vec::new());
    crate::conformance::run(|| async {
        let folder = tempfile::tempdir().unwrap();
        let opened = EmbeddedStore::open(folder.path(), Options::default()).unwrap();
        folders.lock().unwrap().push(folder);
        opened.store as Arc<dyn Store>
    })
    .await;
}
