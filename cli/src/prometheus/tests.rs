use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::routing::get;

use super::*;

/// A Prometheus that answers a query with itself, as text of JSON, and with the status that comes before a space.
async fn echo() -> String {
    let answer = async |Query(query): Query<BTreeMap<String, String>>| {
        let (status, body) = query["query"].split_once(' ').unwrap();
        (StatusCode::from_u16(status.parse().unwrap()).unwrap(), body.to_owned())
    };
    let router = Router::new().route("/deep/api/v1/query", get(answer));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}/deep/")
}

#[tokio::test]
async fn an_answer_is_a_number_or_says_why_not() {
    let prometheus = Prometheus::new(&echo().await).unwrap();
    let vector = |values: &[&str]| {
        let series: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(index, value)| format!(r#"{{"metric":{{"n":"{index}"}},"value":[1.5,"{value}"]}}"#))
            .collect();
        format!(
            r#"200 {{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#,
            series.join(",")
        )
    };
    let ask = async |query: &str| prometheus.number(query).await;
    assert_eq!(ask(&vector(&["0.25"])).await, Ok(0.25));
    assert_eq!(ask(&vector(&["+Inf"])).await, Err(Problem::Infinite("inf".to_owned())));
    assert_eq!(ask(&vector(&[])).await, Err(Problem::NoData));
    assert_eq!(ask(&vector(&["NaN"])).await, Err(Problem::NotANumber));
    assert_eq!(ask(&vector(&["1", "2"])).await, Err(Problem::Several(2)));
    let said = |top: &str| {
        format!(r#"200 {{"status":"success","data":{{"resultType":"vector","result":[]}},{top}}}"#)
    };
    let partial = Err(Problem::Partial("store \\u{1b} is away".to_owned()));
    assert_eq!(ask(&said(r#""warnings":["store \u001b is away"]"#)).await, partial);
    assert_eq!(ask(&said(r#""warnings":["PromQL info: no counter"]"#)).await, Err(Problem::NoData));
    assert!(matches!(ask(&said(r#""isPartial":true"#)).await, Err(Problem::Partial(_))));
    let failed = vector(&["1"]).replace("success", "error");
    assert!(matches!(ask(&failed).await, Err(Problem::Refused(_))));
    assert!(matches!(ask(&vector(&["1"]).replace("1.5", "9e9")).await, Err(Problem::Clock(_))));
    let redirected = ask("302 elsewhere").await.unwrap_err().to_string();
    assert!(redirected.contains("use that address"), "{redirected}");
    let scalar = r#"200 {"status":"success","data":{"resultType":"scalar","result":[1.5,"7"]}}"#;
    assert_eq!(ask(scalar).await, Ok(7.0));
    let bad = r#"400 {"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}"#;
    let refused = ask(bad).await.unwrap_err().to_string();
    assert!(refused.contains("unexpected end") && refused.contains("400"), "{refused}");
    let other = ask("502 <html>").await.unwrap_err().to_string();
    assert!(other.contains("502") && other.contains("not the JSON of Prometheus"), "{other}");
}

#[tokio::test]
async fn one_that_is_away_is_named_without_its_password() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    let prometheus = Prometheus::new(&format!("http://me:secret@{address}")).unwrap();
    let problem = prometheus.number("up").await.unwrap_err().to_string();
    assert!(problem.contains(&address.to_string()) && problem.contains("refused"), "{problem}");
    assert!(!problem.contains("secret"), "{problem}");
}

#[tokio::test]
async fn what_is_too_much_or_too_slow_is_refused() {
    let much = axum::routing::get(|| async { " ".repeat(3 << 20) });
    let slow = axum::routing::get(async || std::future::pending::<()>().await);
    let router = Router::new().route("/much/api/v1/query", much).route("/slow/api/v1/query", slow);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let limits = Limits { first_byte: Duration::from_millis(50), bytes: 1 << 20, ..LIMITS };
    for (path, want) in
        [("much", "3145728 bytes or more, and at most 1048576 are read"), ("slow", "within 50 ms")]
    {
        let url = format!("http://{address}/{path}");
        let prometheus = Prometheus::with(&url, None, HeaderMap::new(), limits).unwrap();
        let problem = prometheus.query("up").await.unwrap_err().to_string();
        assert!(problem.contains(want), "{problem}");
    }
}

#[test]
fn headers_are_lines_and_no_mistake_says_what_they_are() {
    let headers = headers("Authorization: Bearer a:b\n\nX-Scope-OrgID: shop\r\n").unwrap();
    assert_eq!((&headers["authorization"], &headers["x-scope-orgid"]).0, "Bearer a:b");
    for bad in ["secret", "a b: secret", "a: secret\u{1}"] {
        let error = super::headers(bad).unwrap_err().to_string();
        assert!(error.contains("line 1") && !error.contains("secret"), "{error}");
    }
}

#[test]
fn clocks_are_compared() {
    let date = HeaderValue::from_static("Thu, 01 Jan 1970 00:02:00 GMT");
    assert_eq!((off(&date, 100), off(&HeaderValue::from_static("x"), 0)), (Some(20), None));
}

#[test]
fn an_invalid_url_is_refused() {
    let error = format!("{:#}", Prometheus::new("ftp://me:secret@host").unwrap_err());
    assert!(!error.contains("secret"), "{error}");
    for url in ["", "prometheus:9090", "ftp://x", "http://", "9090"] {
        assert!(Prometheus::new(url).is_err(), "{url}");
    }
    assert!(Prometheus::new("https://prometheus.example/select/0/prometheus/").is_ok());
}
