use super::*;
use crate::base::message::ptype;
use std::sync::Arc;

fn message(source: u32, session: i32) -> Message {
    Message::empty(source, ptype::TEXT, session)
}

#[test]
fn messages_leave_in_the_order_in_which_they_came() {
    let mailbox = Mailbox::new(());
    let mut consumer = mailbox.try_acquire().unwrap();
    for i in 0..10 {
        assert!(matches!(
            mailbox.push(message(1, i), Class::UNPOOLED),
            Pushed::Queued
        ));
    }
    assert_eq!(consumer.len(), 10);
    for i in 0..5 {
        assert_eq!(consumer.pop().unwrap().0.session, i);
    }
    let _ = mailbox.push(message(1, 10), Class::UNPOOLED);
    for i in 5..11 {
        assert_eq!(consumer.pop().unwrap().0.session, i);
    }
    assert!(consumer.pop().is_none());
    assert!(consumer.try_release().is_none());
    let Pushed::Schedule(consumer) = mailbox.push(message(1, 0), Class::UNPOOLED) else {
        panic!("it was idle");
    };
    let mut consumer = consumer.try_release().expect("a message waits");
    consumer.close();
    assert!(matches!(
        mailbox.push(message(1, 1), Class::UNPOOLED),
        Pushed::Closed
    ));
    assert_eq!(
        consumer.pop().unwrap().0.session,
        0,
        "what came before the end is still there"
    );
}

#[test]
fn overload_is_reported_above_1024_then_at_each_doubling_and_anew_after_empty() {
    let mailbox = Mailbox::new(());
    let mut consumer = mailbox.try_acquire().unwrap();
    // Adds messages, takes one off, and answers what was noticed.
    let mut fill = |n, all: bool| {
        for i in 0..n {
            let _ = mailbox.push(message(1, i), Class::UNPOOLED);
        }
        consumer.drain_inbox();
        consumer.pop();
        let noticed = consumer.take_overload();
        while all && consumer.pop().is_some() {}
        noticed
    };
    assert_eq!(fill(1025, false), 0);
    assert_eq!(fill(2, false), 1025);
    assert_eq!(fill(2, false), 0);
    assert_eq!(fill(1024, true), 2049);
    assert_eq!(fill(1026, false), 1025);
}

#[test]
fn an_overload_is_reported_anew_after_a_turn_that_took_the_last_message() {
    let mailbox = Mailbox::new(());
    let fill = |n| {
        for i in 0..n {
            let _ = mailbox.push(message(1, i), Class::UNPOOLED);
        }
    };
    // What is noticed while `n` messages are taken out, without a look for one more.
    let take = |consumer: &mut Consumer<()>, n| {
        for _ in 0..n {
            consumer.pop().expect("a message waits");
        }
        consumer.take_overload()
    };
    let mut consumer = mailbox.try_acquire().unwrap();
    fill(1026);
    assert_eq!(take(&mut consumer, 1026), 1025);
    assert!(consumer.try_release().is_none());
    let mut consumer = mailbox.try_acquire().unwrap();
    fill(1026);
    assert_eq!(take(&mut consumer, 1026), 1025, "it was empty in between");
    // It was not, where something has arrived before the role could be given up.
    fill(1026);
    let mut consumer = consumer.try_release().expect("messages wait");
    assert_eq!(take(&mut consumer, 1026), 0);
    assert!(consumer.try_release().is_none());
}

#[test]
fn messages_that_come_one_by_one_and_several_at_once_keep_their_order() {
    let mailbox = Mailbox::new(());
    let mut consumer = mailbox.try_acquire().unwrap();
    let (mut sent, mut taken) = (0, 0);
    for at_once in [1, 1, 2, 1, 3, 1, 1] {
        for _ in 0..at_once {
            let _ = mailbox.push(message(1, sent), Class::UNPOOLED);
            sent += 1;
        }
        assert!(consumer.pop_if(|| false).is_none(), "not wanted");
        if at_once > 1 {
            assert_eq!(consumer.len(), at_once as usize);
        }
        // Some are left for the next round, others wait alone by then.
        while taken < sent - 1 || at_once == 1 && taken < sent {
            assert_eq!(consumer.pop().unwrap().0.session, taken);
            taken += 1;
        }
        assert_eq!(consumer.len(), (sent - taken) as usize);
        while let Some((message, _)) = consumer.pop() {
            assert_eq!(message.session, taken);
            taken += 1;
        }
    }
    assert!(consumer.pop_if(|| panic!("nothing waits")).is_none());
    assert!(consumer.try_release().is_none());
}

#[test]
fn each_sender_s_messages_keep_their_order_and_none_is_lost() {
    const SENDERS: u32 = 4;
    const EACH: i32 = 20_000;
    let mailbox = Arc::new(Mailbox::new(()));
    let mut consumer = mailbox.try_acquire().unwrap();
    let senders: Vec<_> = (0..SENDERS)
        .map(|source| {
            let mailbox = mailbox.clone();
            std::thread::spawn(move || {
                for i in 0..EACH {
                    let _ = mailbox.push(message(source, i), Class::UNPOOLED);
                }
            })
        })
        .collect();
    let mut next = [0; SENDERS as usize];
    let mut seen = 0;
    while seen < SENDERS as i32 * EACH {
        let Some((message, _)) = consumer.pop() else {
            std::thread::yield_now();
            continue;
        };
        assert_eq!(message.session, next[message.source as usize]);
        next[message.source as usize] += 1;
        seen += 1;
    }
    for sender in senders {
        sender.join().unwrap();
    }
    assert!(consumer.try_release().is_none());
}
