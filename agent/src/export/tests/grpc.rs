//! What receivers say over gRPC, and what follows.

use tonic::{Code, Status};

use super::{
    super::otlp::with_delay,
    grpc_receiver::{Answer, GrpcReceiver},
    *,
};

fn config(receiver: &GrpcReceiver) -> ExportConfig {
    let section = format!(
        "endpoint = '{}'\nprotocol = 'grpc'\ncompression = 'none'\nmetrics = false\n\
         headers = {{ x-token = 't0ken' }}",
        receiver.address
    );
    let otlp: OtlpConfig = toml::from_str(&section).expect("right");
    ExportConfig {
        otlp: Some(otlp),
        ..ExportConfig::default()
    }
}

fn refuse(code: Code, words: &str) -> Answer {
    Answer::Refuse(Box::new(Status::new(code, words)))
}

/// As servers do that are busy; it may be tried again at once.
fn refuse_for_now(code: Code) -> Answer {
    let details = with_delay(code as i32, 0).into();
    Answer::Refuse(Box::new(Status::with_details(code, "busy", details)))
}

/// What becomes of some leaks where this is said to their calls, and how many calls there are.
fn told(answers: Vec<Answer>, leaks: usize) -> (SinkSample, usize) {
    let receiver = GrpcReceiver::start(answers);
    let exports = start(&config(&receiver));
    for _ in 0..leaks {
        exports.event(leak());
    }
    let end = sink(&exports.finish(LONG), "otlp_logs");
    (end, receiver.more())
}

#[test]
fn a_call_has_the_records_and_the_headers() {
    let receiver = GrpcReceiver::start(Vec::new());
    let exports = start(&config(&receiver));
    exports.event(leak());
    let end = sink(&exports.finish(LONG), "otlp_logs");
    assert_eq!(fate(&end), (0, 1, 0), "{end:?}");
    let came = receiver.next();
    assert_eq!(
        came.method,
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
    );
    assert_eq!(came.headers["x-token"], "t0ken");
    let request = ExportLogsServiceRequest::decode(came.message).expect("a request");
    let record = &request.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!(record.event_name, "gostray.goroutine.leak");
}

#[test]
fn who_says_when_to_come_back_is_asked_again() {
    for code in [Code::Unavailable, Code::ResourceExhausted] {
        let (end, calls) = told(vec![refuse_for_now(code), refuse_for_now(code)], 1);
        assert_eq!((fate(&end), calls), ((0, 1, 0), 3), "{code:?}: {end:?}");
        assert_eq!(end.errors, [("status", 2)].into());
        assert_eq!(end.last_error, None, "it was right in the end");
    }
}

#[test]
fn what_is_refused_for_good_is_dropped_and_counted() {
    for code in [
        Code::InvalidArgument,
        Code::Unauthenticated,
        Code::PermissionDenied,
        Code::Unimplemented,
        // Without a time.
        Code::ResourceExhausted,
    ] {
        let (end, calls) = told(vec![refuse(code, "not you, t0ken\u{1b}[2J")], 2);
        assert_eq!((fate(&end), calls), ((0, 0, 2), 1), "{code:?}: {end:?}");
        assert_eq!(end.errors, [("refused", 1)].into());
        let said = end.last_error.expect("one");
        assert!(
            said.contains(&format!("answered {code:?}: not you")),
            "{said}"
        );
        assert!(
            !said.contains("t0ken") && !said.contains('\u{1b}'),
            "{said}"
        );
    }
}

#[test]
fn a_call_that_is_broken_off_is_made_again() {
    let (end, calls) = told(vec![Answer::Break], 1);
    assert_eq!((fate(&end), calls), ((0, 1, 0), 2), "{end:?}");
    assert_eq!(end.errors.values().sum::<u64>(), 1, "{end:?}");
}

#[test]
fn a_part_that_is_not_taken_is_dropped() {
    let partial = ExportLogsServiceResponse {
        partial_success: Some(ExportLogsPartialSuccess {
            rejected_log_records: 2,
            error_message: "too old".into(),
        }),
    };
    let (end, calls) = told(vec![Answer::Take(partial.encode_to_vec())], 3);
    assert_eq!((fate(&end), calls), ((0, 1, 2), 1), "{end:?}");
    assert_eq!(end.errors, [("refused", 1)].into());
    let said = end.last_error.expect("one");
    assert!(said.contains("too old"), "{said}");
}

#[test]
fn an_answer_that_is_none_is_taken_for_all() {
    // Who takes a call and cannot say so well has taken it: again would be twice.
    let (end, calls) = told(vec![Answer::Take(b"\xff\xff no message".to_vec())], 1);
    assert_eq!((fate(&end), calls), ((0, 1, 0), 1), "{end:?}");
}
