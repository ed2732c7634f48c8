//! What only a provider's user may read is found by the person whom an admin names, from then on and until it is taken back.

use reqwest::StatusCode;
use sallyport_e2e::{Host, block_on};
use serde_json::{Value, json};

use super::{CHIARA, INES};

/// On the private board "Hiring", with the head of people and one other.
const BEN: &str = "ben@larkfield.example";

/// Whether a card of the private board is found.
async fn finds(host: &Host, who: &str) -> bool {
    let found = host.post(who, "/v1/search", &json!({ "query": "Data engineer P. Osei", "limit": 50 })).await.ok();
    let found = found["results"].as_array().expect("results").clone();
    assert!(!found.is_empty(), "{who} finds something");
    found.iter().any(|one| one["title"].as_str().is_some_and(|title| title.contains("P. Osei")))
}

async fn trello(host: &Host) -> String {
    let all = host.get(INES, "/v1/connections").await.ok();
    let one = all["connections"].as_array().expect("connections").iter().find(|one| one["connector"] == "trello");
    format!("/v1/connections/{}/people", one.expect("Trello")["id"].as_str().expect("an id"))
}

#[test]
fn a_provider_users_documents_are_found_by_the_person_whom_an_admin_names() {
    block_on(async {
        let host = Host::demo().await;
        let people = trello(&host).await;
        let listed = async || host.get(INES, &people).await.ok()["people"].as_array().expect("people").clone();
        let of = |all: Vec<Value>, email: &str| all.into_iter().find(|one| one["email"] == email);
        let ben = of(listed().await, BEN).expect("the seed's admin named him");
        assert_eq!(ben["mapped"], true);
        let path = format!("{people}/{}", ben["user"].as_str().expect("an id"));
        let admin = host.token(INES).await;
        let put = async |email: &str| host.send("PUT", &path, Some(&admin), Some(&json!({ "email": email }))).await;
        let taken_back = host.send("DELETE", &path, Some(&admin), None).await;
        assert_eq!(taken_back.status, StatusCode::NO_CONTENT);
        let nobodys = listed().await.into_iter().find(|one| one["user"] == ben["user"]).expect("still a user");
        assert_eq!((&nobodys["email"], &nobodys["mapped"]), (&Value::Null, &json!(false)), "Trello tells no addresses");
        assert!(!finds(&host, BEN).await, "nobody is known to be that user");

        let wrong = put("no address").await;
        assert_eq!((wrong.status, wrong.code().as_str()), (StatusCode::BAD_REQUEST, "invalid-request"));
        assert_eq!(put("Ben@Larkfield.example").await.status, StatusCode::NO_CONTENT);
        assert_eq!(of(listed().await, BEN).expect("named")["user"], ben["user"]);
        assert!(finds(&host, BEN).await, "from the next search on");
        assert!(!finds(&host, CHIARA).await, "and by nobody else");

        assert_eq!(put(CHIARA).await.status, StatusCode::NO_CONTENT);
        assert!(!finds(&host, BEN).await && finds(&host, CHIARA).await, "the later word counts");
        assert_eq!(host.send("DELETE", &path, Some(&admin), None).await.status, StatusCode::NO_CONTENT);
        assert!(!finds(&host, BEN).await && !finds(&host, CHIARA).await);
        let again = host.send("DELETE", &path, Some(&admin), None).await;
        assert_eq!((again.status, again.code().as_str()), (StatusCode::NOT_FOUND, "not-found"));
    });
}
