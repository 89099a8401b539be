package lines

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// shows tells events to a terminal in one room and wants these lines behind the first.
func shows(t *testing.T, out, err string, events ...client.Event) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		r := start(t, newDesk(), func(cfg *Config) { cfg.Terminal = true; cfg.Zone = time.FixedZone("CET", 3600) })
		r.told(events...)
		pass(lateRest)
		r.wants(out, connected+err)
	})
}

func said(name, text string) client.Message {
	return client.Message{Room: "lobby", Name: name, Kind: chat.Text, Text: text, Time: noon}
}

func TestHumanMessages(t *testing.T) {
	action, topic, gone, strange := said("bob", "waves"), said("bob", "tea"), said("bob", ""), said("bob", "?")
	action.Kind, topic.Kind, gone.Kind, strange.Kind = chat.Action, chat.Topic, chat.Topic, 9
	direct, other := said("bob", "psst"), said("bob", "hi ops")
	direct.Room, direct.To, direct.Sealed, other.Room = "@bob", "bob", true, "ops"
	open, unreadable := direct, direct
	open.Sealed, unreadable.Unreadable, unreadable.Kind, unreadable.Text = false, true, chat.Sealed, ""
	shows(t, "13:00 bob: hi\n", "", said("bob", "hi"))
	shows(t, "13:00 * bob waves\n", "", action)
	shows(t, "13:00 -- bob set the topic: tea\n13:00 -- bob took the topic away\n", "", topic, gone)
	shows(t, "13:00 -- bob (kind-9): ?\n", "", strange)
	shows(t, "13:00 @bob bob: psst\n13:00 bob: hi\n", "", client.Opened{Room: "@bob", Direct: true}, direct, said("bob", "hi"))
	shows(t, "13:00 @bob bob: psst (not sealed)\n13:00 @bob -- bob: unreadable message\n", "", client.Opened{Room: "@bob", Direct: true}, open, unreadable)
	changed := "-- bob is another key now, " + identity.ID{2}.Grouped() + ", and was " + identity.ID{1}.Grouped() + " when you first wrote to them; " +
		"ask them by another way which is theirs. To go on with the new one: /msg " + identity.ID{2}.String() + " TEXT --\n"
	shows(t, "", changed, client.KeyChanged{Name: "bob", Was: identity.ID{1}, Now: identity.ID{2}})
	shows(t, "13:00 #ops bob: hi ops\n13:00 #lobby bob: hi\n", "-- you are in #ops: coffee\n", client.Opened{Room: "ops", Topic: "coffee"}, other, said("bob", "hi"))
}

// TestHumanLate: what came late has its own time, and behind the last of it stands how much it was; each room by itself.
func TestHumanLate(t *testing.T) {
	late := func(room string, minute int) client.Message {
		m := said("bob", fmt.Sprint("late ", minute))
		m.Room, m.At = room, noon.Add(time.Duration(minute-60)*time.Minute)
		return m
	}
	told := "-- 2 messages from the other side, 12:02–12:17 --\n"
	shows(t, "12:17 bob: late 17\n12:02 bob: late 2\n13:00 bob: hi\n", told, late("lobby", 17), late("lobby", 2), said("bob", "hi"))
	shows(t, "12:17 bob: late 17\n12:02 bob: late 2\n", told, late("lobby", 17), late("lobby", 2)) // nothing comes for a while
	shows(t, "12:17 bob: late 17\n12:02 #ops bob: late 2\n", "-- 1 message from the other side, 12:17 --\n-- #ops: 1 message from the other side, 12:02 --\n", late("lobby", 17), late("ops", 2))
	gone := said("bob", chat.ForkedText)
	gone.Forked = true
	shows(t, "13:00 bob: (hidden: its node signed two histories)\n", "", gone)
}

// TestHumanMoves: of going on at another node one line tells.
func TestHumanMoves(t *testing.T) {
	shows(t, "", "-- link lost: reset; trying again in 1 s\n-- node Lab is gone; went on at Hall, nothing was lost --\n", client.LinkDown{Err: errors.New("reset"), RetryIn: time.Second},
		client.LinkUp{Title: "Hall", Name: "carol", Resumed: true, Moved: true}, client.WentOn{From: "Lab", To: "Hall"})
}

// TestHumanAnswers: what answers a message says which, as far as that was printed of late.
func TestHumanAnswers(t *testing.T) {
	asked, answer, waves, other, stranger := said("bob", "are  you\nthere?"), said("carol", "yes"), said("eve", "waves"), said("carol", "no"), said("bob", "what")
	asked.ID, asked.Name, answer.ID, answer.Re, waves.Re, other.Re, stranger.Re = chat.ID{1}, "bob", chat.ID{2}, chat.ID{1}, chat.ID{2}, chat.ID{3}, chat.ID{9}
	waves.Kind, answer.Own = chat.Action, true
	forged := said("bob", `ok"): I agree`)
	forged.ID = chat.ID{3}
	shows(t, "13:00 bob: are  you\\nthere?\n13:00 carol (re bob \"are you there?\"): yes\n13:00 * eve (re carol \"yes\") waves\n"+
		"13:00 bob: ok\"): I agree\n13:00 carol (re bob \"ok'): I agree\"): no\n13:00 bob (re an earlier message): what\n", "", asked, answer, waves, forged, other, stranger)
}

// TestHeardIsBounded: a Run remembers the last messages alone.
func TestHeardIsBounded(t *testing.T) {
	h := newHeard()
	id := func(i int) chat.ID { return chat.ID{byte(i >> 8), byte(i), 1} }
	for i := range 3 * maxHeard {
		m := client.Message{Room: fmt.Sprint("room", i), ID: id(i), Name: "bob", Kind: chat.Text, Text: fmt.Sprint(i)}
		h.noteLocked(&m, "carol")
	}
	if len(h.quotes) != maxHeard || len(h.ids) != maxHeard || len(h.last) != maxAnswerable {
		t.Errorf("%d quotes, %d ids, %d rooms", len(h.quotes), len(h.ids), len(h.last))
	}
	if first := 2 * maxHeard; h.quote(id(first-1)) != "" || h.quote(id(first)) != fmt.Sprintf(`bob "%d"`, first) {
		t.Errorf("of the messages around %d it knows %q and %q", first, h.quote(id(first-1)), h.quote(id(first)))
	}
	m := client.Message{Room: "room0", ID: id(9999), Name: "bob", Kind: chat.Text}
	if h.noteLocked(&m, "carol"); h.lastIn("room0").ID != m.ID {
		t.Error("with as many rooms as it takes, those that it has stand still")
	}
}

func TestHumanDays(t *testing.T) {
	late, next := said("bob", "late"), said("bob", "early")
	late.Time = noon.Add(11*time.Hour - 1) // one hour east it is midnight just behind this
	next.Time = noon.Add(11 * time.Hour)
	old := said("bob", "old")
	old.Time = noon.Add(-24 * time.Hour)
	shows(t, "13:00 bob: hi\n23:59 bob: late\n-- Sunday, 2 January 2000\n00:00 bob: early\n", "", said("bob", "hi"), late, next)
	shows(t, "-- Friday, 31 December 1999\n13:00 bob: old\n-- Saturday, 1 January 2000\n13:00 bob: hi\n", "", old, said("bob", "hi"))
}

func TestHumanLink(t *testing.T) {
	back, other := up(), up()
	back.Resumed, other.Resumed, other.Name = true, true, "carol~7q2f"
	lost := client.LinkDown{Err: errors.New("reset by peer"), RetryIn: 2100 * time.Millisecond}
	soon := client.LinkDown{Err: errors.New("connection refused"), RetryIn: 100 * time.Millisecond}
	stopping := client.LinkDown{Code: chat.Stopping, Text: "see you", RetryIn: time.Second}
	shows(t, "", "-- link lost: reset by peer; trying again in 3 s\n-- link lost: connection refused; trying again in 1 s\n-- back\n-- link lost: connection refused; trying again in 1 s\n",
		lost, lost, soon, soon, soon, back, soon)
	shows(t, "", "-- link lost: the node is stopping (see you); trying again in 1 s\n-- back as carol~7q2f\n", stopping, other)
	both := client.LinkDown{Err: fmt.Errorf("connect: %w", errors.Join(lost.Err, soon.Err)), RetryIn: time.Second} // at two addresses
	shows(t, "", "-- link lost: connect: reset by peer; connection refused; trying again in 1 s\n", both)
	shows(t, "", "-- link lost: the connection ended; trying again now\n-- connected to Lab as carol\n", client.LinkDown{}, up())
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		d.noLink = true
		r := start(t, d, nil)
		r.told(soon, soon)
		r.wants("", "-- no link yet: connection refused; trying again in 1 s\n")
	})
}

func TestHumanStates(t *testing.T) {
	for want, e := range map[string]client.Event{
		"120 older messages in #lobby are not kept any more --":                                                                                         client.Gap{Room: "lobby", From: 1, To: 120},
		"1 older message in @bob is not kept any more --":                                                                                               client.Gap{Room: "@bob", From: 7, To: 7},
		"#lobby begins anew: the node has begun a new log; messages above may be missing from it, or come again below --":                               client.Reset{Room: "lobby", Why: "epoch"},
		"#lobby begins anew: the node's log ends before what was shown here; messages above may be missing from it, or come again below --":             client.Reset{Room: "lobby", Why: "ahead"},
		"#lobby begins anew: the node's log differs from what was shown here; messages above may be missing from it, or come again below --":            client.Reset{Room: "lobby", Why: wire.WhyHash.String()},
		"all rooms begin anew: the node has forgotten messages that it had acknowledged; messages above may be missing from it, or come again below --": client.Reset{Why: client.WhyAcks},
		"all rooms begin anew: what; messages above may be missing from it, or come again below --":                                                     client.Reset{Why: "what"},
		"bob has joined #lobby":                                  client.Joined{Room: "lobby", Name: "bob"},
		"bob has left #lobby":                                    client.Gone{Room: "lobby", Name: "bob"},
		"bob is now bert":                                        client.Renamed{Room: "lobby", Old: "bob", New: "bert"},
		"you are in #lobby: tea":                                 client.Opened{Room: "lobby", Topic: "tea"},
		"you are in #lobby":                                      client.Opened{Room: "lobby"},
		"you have left #lobby":                                   client.Left{Room: "lobby"},
		"2 people in #lobby: bob eve":                            client.Present{Room: "lobby", Count: 2, People: []client.Person{{Name: "bob"}, {Name: "eve"}}},
		"900 people in #lobby":                                   client.Present{Room: "lobby", Count: 900},
		"1 person in #lobby":                                     client.Present{Room: "lobby", Count: 1},
		"you are now cat":                                        client.Named{Name: "cat"},
		"the node says: tea is ready":                            client.Notice{Text: "tea is ready"},
		"#x: " + chat.NotJoined.Sentence():                       client.Left{Room: "x", Code: chat.NotJoined},
		"the node has closed #x: " + chat.Denied.Sentence():      client.ClosedRoom{Room: "x", Code: chat.Denied},
		"#x is not open to you: " + chat.RoomRate.Sentence():     client.Denied{Room: "x", Code: chat.RoomRate},
		"you are still carol: " + chat.BadName.Sentence():        client.Named{Name: "carol", Code: chat.BadName},
		"not sent to #ops: " + chat.Denied.Sentence() + ": psst": client.Refused{Room: "ops", Text: "psst", Code: chat.Denied},
		"you are still carol: that name belongs to somebody else; bob~7q2f is free": client.Named{Name: "carol", Code: chat.NameTaken, Suggest: "bob~7q2f"},
	} {
		shows(t, "", "-- "+want+"\n", e)
	}
	shows(t, "", "", client.Opened{Room: "@bob", Direct: true}, client.Ack{Room: "lobby"})
}

// What is told once for a room is told again only after one has been out of it.
func TestHumanTellsOfRoomsOnce(t *testing.T) {
	in, who := client.Opened{Room: "lobby"}, client.Present{Room: "lobby", Count: 3}
	once := "-- you are in #lobby\n-- 3 people in #lobby\n"
	shows(t, "", once, in, who, in, who)
	shows(t, "", once+"-- you have left #lobby\n"+once, in, who, client.Left{Room: "lobby"}, in, who)
	shows(t, "", once+"-- the node has closed #lobby: done\n"+once, in, who, client.ClosedRoom{Room: "lobby"}, in, who)
}

func TestHumanTellsNewNamesOnce(t *testing.T) {
	a, b := client.Renamed{Room: "lobby", Old: "bob", New: "bert", ID: bob}, client.Renamed{Room: "ops", Old: "bob", New: "bert", ID: bob}
	again := client.Renamed{Room: "lobby", Old: "bert", New: "bob", ID: bob}
	own := client.Renamed{Room: "lobby", Old: "carol", New: "cat", ID: me}
	shows(t, "", "-- bob is now bert\n-- bert is now bob\n-- bob is now bert\n", a, b, own, again, a)
}

// Whoever leaves their keyboard does not fill everybody's screen.
func TestHumanIsQuietAboutWhoIsAway(t *testing.T) {
	a, b := client.Stirred{Room: "lobby", Name: "bob", ID: bob, Away: true}, client.Stirred{Room: "ops", Name: "bob", ID: bob, Away: true}
	back, own := client.Stirred{Room: "lobby", Name: "bob", ID: bob}, client.Stirred{Room: "lobby", Name: "carol", ID: me, Away: true}
	shows(t, "", "", a, b, back, own, a)
}

// TestPrintedIsAnswerable: whoever has seen a message can answer it, and nobody answers one that is not printed yet.
func TestPrintedIsAnswerable(t *testing.T) {
	h := newHeard()
	m := client.Message{Room: "lobby", ID: chat.ID{1}, Name: "bob", Kind: chat.Text, Text: "hello"}
	h.print(func() {
		if h.mu.TryLock() {
			t.Error("it can be asked while a message is being printed what was said last")
			h.mu.Unlock()
		}
		if len(h.last) > 0 {
			t.Error("a message can be answered that is not printed")
		}
	}, &m, "carol")
	if h.lastIn("lobby").ID != m.ID {
		t.Error("a message that was printed can't be answered")
	}
}
