use super::*;

const ASK: &str = "call S Page.getLayoutMetrics {}";
const PRINT: &str = "call S Page.printToPDF {}";

fn prints(pair: &mut Pair, id: i32) -> Vec<String> {
    pair.says(&format!(r#"{{"id":{id},"method":"Page.printToPDF","params":{{}},"sessionId":"S"}}"#))
}

#[test]
fn what_needs_a_living_page_goes_up_one_by_one_behind_an_answer() {
    let mut pair = Pair::with_page();
    assert_eq!(prints(&mut pair, 1), [ASK]);
    assert_eq!(prints(&mut pair, 2), [""; 0]);
    assert_eq!(prints(&mut pair, 3), [""; 0]);
    assert_eq!(pair.result("{}"), [PRINT]);
    assert_eq!(pair.result(r#"{"data":""}"#), [ASK, r#"1: {"id":1,"result":{"data":""},"sessionId":"S"}"#]);
    // The one is refused by Chrome, the other's page cannot be asked: each is answered, and the next has its turn.
    assert_eq!(pair.result("{}"), [PRINT]);
    let refused = r#"1: {"id":2,"error":{"code":-32000,"message":"no"},"sessionId":"S"}"#;
    assert_eq!(pair.error(-32000, "no"), [ASK, refused]);
    let refused = r#"1: {"id":3,"error":{"code":-32601,"message":"what"},"sessionId":"S"}"#;
    assert_eq!(pair.error(-32601, "what"), [refused]);
    pair.is_at_rest();
    assert_eq!(prints(&mut pair, 4), [ASK]);
}

#[test]
fn nothing_of_it_reaches_a_page_that_has_crashed() {
    for crashed in [true, false] {
        let mut pair = Pair::with_page();
        prints(&mut pair, 1);
        prints(&mut pair, 2);
        let told = if crashed {
            Told::Crashed { target: "P".into(), params: "{}".to_owned() }
        } else {
            Told::Destroyed { target: "P".into() }
        };
        let failed = |id: i32| {
            format!(r#"1: {{"id":{id},"error":{{"code":-32000,"message":"Target crashed"}},"sessionId":"S"}}"#)
        };
        assert_eq!(pair.told(told), [failed(1), failed(2)]);
        // An answer that comes all the same, from what the page has become, is nobody's.
        assert_eq!(pair.result("{}"), [""; 0]);
        pair.is_at_rest();
    }
}

#[test]
fn each_is_answered_once_when_its_page_and_its_cdp_session_end() {
    for page_first in [true, false] {
        let mut pair = Pair::with_page();
        prints(&mut pair, 1);
        prints(&mut pair, 2);
        let mut got = Vec::new();
        let gone = |pair: &mut Pair| pair.detached("ROOT", "S", "P", &[]);
        if !page_first {
            got.extend(gone(&mut pair));
        }
        got.extend(pair.told(Told::Crashed { target: "P".into(), params: "{}".to_owned() }));
        if page_first {
            got.extend(gone(&mut pair));
        }
        let answers = |id: i32| got.iter().filter(|frame| frame.contains(&format!(r#""id":{id},"error""#))).count();
        assert_eq!((answers(1), answers(2)), (1, 1), "{got:?}");
    }
}
