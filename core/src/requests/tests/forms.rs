//! What is written and what is read.

use super::*;

#[track_caller]
fn written(requests: &mut Requests, request: Request) -> String {
    requests.issue(NOW, request).unwrap().payload.as_text().unwrap().to_string()
}

#[track_caller]
fn malformed(requests: &mut Requests, request: Request) -> (Fault, usize) {
    let before = requests.clone();
    let RequestRejected::Malformed { request: back, what, at } =
        requests.issue(NOW, request.clone()).unwrap_err()
    else {
        panic!("refused for another reason")
    };
    assert_eq!(back, request);
    assert_eq!(*requests, before, "nothing has changed");
    (what, at)
}

#[test]
fn calls_are_written_as_json_rpc() {
    let mut requests = table();
    assert_eq!(
        written(&mut requests, Request::call("say \"hi\"\n", None)),
        r#"{"jsonrpc":"2.0","id":1,"method":"say \"hi\"\n"}"#
    );
    assert_eq!(
        written(&mut requests, Request::call("sum", Some(" [1, 2.50]".into()))),
        r#"{"jsonrpc":"2.0","id":2,"method":"sum","params": [1, 2.50]}"#
    );
}

#[test]
fn params_are_structured_json() {
    let mut requests = table();
    for (params, fault) in [
        ("1", (Fault::NotStructured, 0)),
        ("\n\"secret\"", (Fault::NotStructured, 1)),
        ("null", (Fault::NotStructured, 0)),
        ("", (Fault::NotJson, 0)),
        ("[1,", (Fault::NotJson, 3)),
        ("[1,}", (Fault::NotJson, 3)),
        ("[]]", (Fault::NotJson, 2)),
        ("{\n\n \"a\":x}", (Fault::NotJson, 8)),
        (r#"[],"id":7"#, (Fault::NotJson, 2)),
    ] {
        let request = Request::call("do", Some(ByteString::from(params)));
        assert_eq!(malformed(&mut requests, request), fault, "{params}");
    }
    let object = Request::object("{}");
    assert_eq!(malformed(&mut requests, object).0, Fault::WrongForm);
}

#[test]
fn an_id_is_spliced_into_an_object() {
    let mut requests = fields(None);
    for (object, expected) in [
        ("{}", r#"{"req":1}"#),
        (" { } ", r#" {"req":2 } "#),
        (r#"{"a":{"req":5},"b":1.50}"#, r#"{"req":3,"a":{"req":5},"b":1.50}"#),
        (r#"{"re":1}"#, r#"{"req":4,"re":1}"#),
    ] {
        assert_eq!(written(&mut requests, Request::object(object)), expected);
    }
    for (object, fault) in [
        ("[]", (Fault::NotAnObject, 0)),
        (" 7", (Fault::NotAnObject, 1)),
        ("", (Fault::NotJson, 0)),
        ("{\"a\":1", (Fault::NotJson, 6)),
        ("{\"a\" 1}", (Fault::NotJson, 5)),
        ("{} {}", (Fault::NotJson, 3)),
        (r#"{"a":1,"req":null}"#, (Fault::HasId, 7)),
        (r#"{"\u0072eq":1}"#, (Fault::HasId, 1)),
    ] {
        assert_eq!(malformed(&mut requests, Request::object(object)), fault, "{object}");
    }
    assert_eq!(malformed(&mut requests, Request::call("do", None)).0, Fault::WrongForm);
}

#[test]
fn a_field_with_a_strange_name_is_quoted() {
    let correlation =
        Correlation::Fields { request: "a\"b".into(), response: "a\"b".into(), error: None };
    let mut requests = Requests::new(correlation, Limits::default()).unwrap();
    assert_eq!(written(&mut requests, Request::object("{}")), r#"{"a\"b":1}"#);
    let heard = requests.received(&text(r#"{"a\u0022b":1,"x":[1]}"#));
    assert_eq!(heard, Heard::Answered { id: RequestId(1) });
}

#[test]
fn a_result_is_a_slice_of_the_message() {
    let mut requests = table();
    ask(&mut requests, Class::Queued, 1);
    let message = text(r#"{"jsonrpc":"2.0","result": {"n":[1,2]} ,"id":1}"#);
    assert_eq!(requests.received(&message), Heard::Answered { id: RequestId(1) });
    let Some((1, Outcome::Answered(answer))) = ends(&mut requests).pop() else { panic!() };
    assert_eq!(answer.result(), r#"{"n":[1,2]}"#);
    assert_eq!(answer.payload(), message);
    let whole = message.as_bytes().as_ptr_range();
    assert!(whole.contains(&answer.result().as_ptr()), "nothing was copied");
    assert!(whole.contains(&answer.to_result().as_ptr()), "nothing was copied");
    assert_eq!(answer.parse::<serde_json::Value>().unwrap()["n"][1], 2);
}

#[test]
fn a_null_result_is_an_answer_and_a_null_error_none() {
    let mut requests = table();
    for seq in 1..=3 {
        ask(&mut requests, Class::Queued, seq);
    }
    for message in [
        r#"{"id":1,"result":null}"#,
        r#"{"id":2,"error":null,"result":7}"#,
        r#"{"id":3,"error":null}"#,
    ] {
        requests.received(&text(message));
    }
    let results: Vec<_> = ends(&mut requests)
        .into_iter()
        .map(|(id, outcome)| match outcome {
            Outcome::Answered(answer) => (id, answer.result().to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(results, [(1, "null".to_string()), (2, "7".to_string())]);
    assert_eq!(requests.in_flight(), 1);
}

#[test]
fn an_error_refuses() {
    let mut requests = table();
    for seq in 1..=4 {
        ask(&mut requests, Class::Queued, seq);
    }
    for message in [
        r#"{"id":1,"error":{"code":-32601,"message":"no\u0020\"x\"","data":[1]}}"#,
        r#"{"id":2,"result":1,"error":{"code":5,"message":""}}"#,
        r#"{"id":3,"error":"secret"}"#,
        r#"{"id":4,"error":{"code":1.5,"message":"x"}}"#,
    ] {
        assert!(matches!(requests.received(&text(message)), Heard::Answered { .. }));
    }
    let refusals: Vec<_> = ends(&mut requests)
        .into_iter()
        .map(|(_, outcome)| match outcome {
            Outcome::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        })
        .collect();
    let error = refusals[0].rpc().unwrap();
    assert_eq!((error.code, error.message.as_str()), (-32601, "no \"x\""));
    assert_eq!(error.data.as_deref(), Some("[1]"));
    assert_eq!(refusals[0].to_string(), "the server refused the request with error -32601");
    assert_eq!(refusals[1].rpc().unwrap().code, 5);
    for odd in &refusals[2..] {
        assert_eq!(odd.rpc(), None);
        assert_eq!(odd.to_string(), "the server refused the request");
    }
    assert_eq!(refusals[2].error(), "\"secret\"");
    assert_eq!(refusals[2].parse::<String>().unwrap(), "secret");
    assert!(refusals[2].payload().as_text().unwrap().contains("secret"));
}

#[test]
fn fields_tell_answers_from_refusals() {
    let mut requests = fields(Some("err"));
    for seq in 1..=3 {
        let issued = requests.issue(NOW, Request::object("{}")).unwrap();
        requests.sent(issued.id, Seq(seq));
    }
    requests.received(&text(r#"{"re":1,"x":1}"#));
    requests.received(&text(r#"{"re":2,"err":null}"#));
    requests.received(&text(r#"{"re":3,"err":{"why":1}}"#));
    let ends = ends(&mut requests);
    let [(1, Outcome::Answered(one)), (2, Outcome::Answered(_)), (3, Outcome::Refused(refusal))] =
        &ends[..]
    else {
        panic!("{ends:?}")
    };
    assert_eq!(one.result(), r#"{"re":1,"x":1}"#);
    assert_eq!(refusal.error(), r#"{"why":1}"#);
}

#[test]
fn what_is_no_response_is_passed_on() {
    let mut requests = table();
    ask(&mut requests, Class::Queued, 1);
    for message in [
        r#"{"jsonrpc":"2.0","method":"tick","params":{"id":1,"result":1}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"confirm"}"#,
        r#"{"id":1,"method":"odd","result":1}"#,
        r#"{"id":1}"#,
        r#"{"id":"1","result":1}"#,
        r#"{"id":null,"error":{"code":-32700,"message":"x"}}"#,
        r#"{"id":1.0,"result":1}"#,
        r#"{"id":-1,"result":1}"#,
        r#"{"id":18446744073709551616,"result":1}"#,
        r#"[{"id":1,"result":1}]"#,
        r#"{"id":1,"result":1"#,
        r#"{"id":1,"result":1} x"#,
        "",
        "id 1",
    ] {
        assert_eq!(requests.received(&text(message)), Heard::NotAResponse, "{message}");
    }
    let binary = Payload::Binary(br#"{"id":1,"result":1}"#.to_vec().into());
    assert_eq!(requests.received(&binary), Heard::NotAResponse);
    assert_eq!((requests.in_flight(), requests.strays()), (1, 0));
}

#[test]
fn the_last_of_a_name_counts() {
    let mut requests = table();
    ask(&mut requests, Class::Queued, 1);
    requests.received(&text(r#"{"id":7,"result":1,"id":1,"result":2}"#));
    let Some((1, Outcome::Answered(answer))) = ends(&mut requests).pop() else { panic!() };
    assert_eq!(answer.result(), "2");
}

#[test]
fn strays_end_nothing() {
    let mut requests = table();
    ask(&mut requests, Class::Queued, 1);
    ask(&mut requests, Class::Queued, 2);
    assert_eq!(requests.received(&result(1)), Heard::Answered { id: RequestId(1) });
    for id in [1, 3, 0, u64::MAX] {
        assert_eq!(requests.received(&result(id)), Heard::Stray { id });
    }
    assert_eq!((requests.in_flight(), requests.strays()), (1, 4));
    assert_eq!(ends(&mut requests).len(), 1);

    // Among other messages, a number that was never given out may mean anything.
    let mut requests = fields(None);
    requests.issue(NOW, Request::object("{}")).unwrap();
    assert_eq!(requests.received(&text(r#"{"re":2}"#)), Heard::NotAResponse);
    assert_eq!(requests.received(&text(r#"{"re":0}"#)), Heard::NotAResponse);
    assert!(matches!(requests.received(&text(r#"{"re":1}"#)), Heard::Answered { .. }));
    assert_eq!(requests.received(&text(r#"{"re":1}"#)), Heard::Stray { id: 1 });
}

#[test]
fn bounds_give_the_request_back() {
    let limits = Limits { max_in_flight: 2, max_bytes: 100, ..Limits::default() };
    let mut requests = Requests::new(Correlation::JsonRpc, limits).unwrap();
    let long = Request::call("x".repeat(80), None);
    let rejected = requests.issue(NOW, long.clone()).unwrap_err();
    assert!(matches!(rejected, RequestRejected::TooLarge { size: 116, limit: 100, .. }));
    assert_eq!(rejected.into_request(), long);
    let issued = requests.issue(NOW, Request::call("x".repeat(20), None)).unwrap();
    let rejected = requests.issue(NOW, Request::call("x".repeat(20), None)).unwrap_err();
    assert!(matches!(rejected, RequestRejected::Full { size: 56, left: 44, .. }), "{rejected}");
    requests.issue(NOW, Request::call("x", None)).unwrap();
    let rejected = requests.issue(NOW, Request::call("x", None)).unwrap_err();
    assert!(matches!(rejected, RequestRejected::TooMany { limit: 2, .. }));
    // What ended takes room until it was looked at.
    requests.received(&result(issued.id.get()));
    let rejected = requests.issue(NOW, Request::call("x", None)).unwrap_err();
    assert!(matches!(rejected, RequestRejected::TooMany { .. }));
    ends(&mut requests);
    assert_eq!(requests.issue(NOW, Request::call("x", None)).unwrap().id.get(), 3);
    requests.close();
    let rejected = requests.issue(NOW, Request::call("x", None)).unwrap_err();
    assert!(matches!(rejected, RequestRejected::Closed(_)));
}

#[test]
fn configs_are_checked_and_read_back() {
    for correlation in [
        Correlation::JsonRpc,
        Correlation::Fields { request: "a".into(), response: "a".into(), error: None },
        Correlation::Fields { request: "a".into(), response: "b".into(), error: Some("c".into()) },
    ] {
        assert_eq!(correlation.check(), Ok(()));
        let written = serde_json::to_string(&correlation).unwrap();
        assert_eq!(serde_json::from_str::<Correlation>(&written).unwrap(), correlation);
    }
    let read: Correlation =
        serde_json::from_str(r#"{"fields":{"request":"a","response":"b"}}"#).unwrap();
    assert_eq!(read.check(), Ok(()));
    for (request, response, error, field) in [
        ("", "b", None, "request"),
        ("a", "", None, "response"),
        ("a", "b", Some(""), "error"),
        ("a", "b", Some("b"), "error"),
    ] {
        let error = error.map(String::from);
        let correlation =
            Correlation::Fields { request: request.into(), response: response.into(), error };
        let error = Requests::new(correlation, Limits::default()).unwrap_err();
        assert_eq!(error.field, format!("requests.correlation.fields.{field}"));
    }
    let limits: Limits = serde_json::from_str(r#"{"timeout":"5s"}"#).unwrap();
    assert_eq!(limits, Limits { timeout: Duration::from_secs(5), ..Limits::default() });
    for limits in [
        Limits { max_in_flight: 0, ..Limits::default() },
        Limits { max_in_flight: (1 << 20) + 1, ..Limits::default() },
        Limits { max_bytes: 0, ..Limits::default() },
        Limits { timeout: Duration::ZERO, ..Limits::default() },
        Limits { timeout: Duration::MAX, ..Limits::default() },
    ] {
        assert!(Requests::new(Correlation::JsonRpc, limits).is_err(), "{limits:?}");
    }
}

#[test]
fn nothing_that_is_said_is_shown() {
    let mut requests = table();
    let request = Request::call("secret", Some(r#"["secret"]"#.into()));
    let shown = format!("{request:?} {:?}", Request::object(r#"{"secret":1}"#));
    let issued = requests.issue(NOW, request.class(Class::Acknowledged)).unwrap();
    let shown = format!("{shown} {issued:?} {requests:?}");
    requests.issue(NOW, call(Class::Queued)).unwrap();
    requests.received(&text(r#"{"id":1,"result":"secret"}"#));
    requests.received(&text(r#"{"id":2,"error":{"code":1,"message":"secret","data":"secret"}}"#));
    let ends = ends(&mut requests);
    let Outcome::Answered(answer) = &ends[0].1 else { panic!() };
    let misfit = answer.parse::<u64>().unwrap_err();
    let Outcome::Refused(refusal) = &ends[1].1 else { panic!() };
    let error = refusal.rpc().unwrap();
    let shown = format!("{shown} {ends:?} {misfit} {misfit:?} {refusal} {error} {error:?}");
    let bad = requests.issue(NOW, Request::call("x", Some("secret".into()))).unwrap_err();
    let shown = format!("{shown} {bad} {bad:?}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(misfit.to_string().contains("line 1 column 8"), "{misfit}");
}
