//! The application's journal: every event once, whoever dies.

use crate::harness::{Chain, DEADLINE, eventually, funded};
use windlass_channels::Event;

/// What an application keeps: where it is, and what it has seen.
#[derive(Default)]
struct Application {
    next: u64,
    sent: Vec<windlass_channels::PaymentHash>,
}

impl Application {
    fn read(&mut self, events: Vec<(u64, Event)>) {
        for (at, event) in events {
            assert_eq!(at, self.next, "a gap, or an event again");
            self.next = at + 1;
            if let Event::PaymentSent { hash } = event {
                self.sent.push(hash);
            }
        }
    }
}

#[test]
fn events_come_once_in_order_over_deaths() {
    let chain = Chain::start();
    let [mut alice, bob] = funded(&chain, ["alice", "bob"]);
    alice.open(&bob, 1_000_000, 0, false, &chain);
    let mut application = Application::default();
    let mut paid = Vec::new();
    for round in 0..6 {
        paid.push(alice.pay(&bob, 10_000).hash);
        paid.push(alice.pay(&bob, 20_000).hash);
        eventually("the payments are told", || {
            application.read(alice.node().events(application.next, 100));
            (application.sent.len() == paid.len()).then_some(())
        });
        if round % 2 == 0 {
            let before = application.next;
            assert!(alice.on(move |node| async move { node.acknowledge(before).await }));
        }
        alice.kill();
        alice.run();
        eventually("they are connected again", || {
            alice
                .node()
                .channels()
                .iter()
                .any(|channel| channel.state == windlass_channels::ChannelState::Usable)
                .then_some(())
        });
    }
    paid.sort();
    application.sent.sort();
    assert_eq!(application.sent, paid);
    // Acknowledged events are gone, the others are still there.
    let kept = alice.node().events(0, 1000);
    assert!(kept.first().is_some_and(|(at, _)| *at > 0 && *at < application.next));
    let (next, wait) = (application.next, std::time::Duration::from_millis(50));
    assert!(alice.on(move |node| async move { node.wait_events(next, 10, wait).await }).is_empty());
    alice.pay(&bob, 30_000);
    let news = alice.on(move |node| async move { node.wait_events(next, 10, DEADLINE).await });
    assert!(news.iter().any(|(_, event)| matches!(event, Event::PaymentSent { .. })), "{news:?}");
}
