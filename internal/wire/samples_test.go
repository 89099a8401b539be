package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/binary"
	"strings"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/seal"
)

// sample is a record of a small story: carol, who has the key of the seed 00 01 … 1f, comes to a node, joins the lobby, writes, asks
// and goes. Ids, hashes, keys and the proof are real, so that an implementation in another language can check its own.
type sample struct {
	name   string
	stream string
	record Record
}

const (
	storyEpoch = 0x0123456789abcdef
	storyTime  = 1767225600000 // 2026-01-01 00:00:00 UTC
)

var (
	carolKey = ed25519.NewKeyFromSeed(counting(0x00, 32))
	carolID  = keyID(carolKey.Public().(ed25519.PublicKey))
	bobID    = keyID(ed25519.NewKeyFromSeed(counting(0x20, 32)).Public().(ed25519.PublicKey))
	nodeID   = keyID(ed25519.NewKeyFromSeed(counting(0x40, 32)).Public().(ed25519.PublicKey))
	bobText  = idText(bobID)
	bobCard  = cardOf(counting(0x20, 32))
	nonce    = counting(0x60, 32)
	origin   = counting(0x80, 16)
)

// counting returns n bytes that count up from first.
func counting(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func keyID(key ed25519.PublicKey) []byte {
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(spki)
	return sum[:]
}

// cardOf returns the card of the key that has this seed.
func cardOf(seed []byte) []byte {
	key, err := identity.NewKey(bytes.NewReader(seed))
	if err != nil {
		panic(err)
	}
	return seal.NewSelf(key).Card()
}

// idText is a key id as text.
func idText(id []byte) string {
	sum := sha256.Sum256(append([]byte("chatnode/checksum/1"), id...))
	return "cn1" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append(bytes.Clone(id), sum[:3]...)))
}

// storyRow returns the id of a row of the story and the rolling hash after it.
func storyRow(h chat.Header, body string, before chat.Hash) (chat.ID, chat.Hash) {
	h.Epoch, h.Room = storyEpoch, 1
	id := h.ID((*[16]byte)(counting(0xf0, 16)), []byte(body))
	return id, before.Next(id)
}

func samples() []sample {
	id1, hash1 := storyRow(chat.Header{Seq: 1, From: 2, CSeq: 5, Time: storyTime - 60_000, Kind: chat.Text, Name: "bob"}, "anyone here?", chat.Hash{})
	id2, hash2 := storyRow(chat.Header{Seq: 2, From: 3, CSeq: 1, Time: storyTime + 1500, Kind: chat.Text, Name: "carol", Re: id1}, "me!", hash1)
	id3, hash3 := storyRow(chat.Header{Seq: 3, From: 2, CSeq: 6, Time: storyTime + 2500, Kind: chat.Action, Name: "bob"}, "waves", hash2)
	proof := ed25519.Sign(carolKey, bytes.Join([][]byte{[]byte("chatnode/hello/1"), {32}, nonce, origin}, nil))
	limits := Limits{Text: chat.MaxText, Lines: chat.MaxLines, InFlight: chat.MaxInFlight, InFlightBytes: chat.MaxInFlightB, Rooms: chat.MaxRooms, Watched: chat.MaxWatched, Rate: 10}
	here := RoomPresence{Room: "lobby", Count: 2, Snapshot: true, Here: []Person{{ID: bobID, Name: "bob"}, {ID: carolID, Name: "carol"}}}
	change := RoomPresence{Room: "lobby", Count: 1, Here: []Person{{ID: carolID, Name: "caroline"}}, Gone: []Person{{ID: bobID, Name: "bob"}}}
	acts, sigs := []string{"mute " + bobText + " 10m spam", "ban " + bobText + " 0s", "readonly"}, [][]byte{}
	for i, act := range acts {
		sigs = append(sigs, actSig(carolKey, storyEpoch, 3, uint64(7+i), "lobby", act))
	}
	idAct, _ := storyRow(chat.Header{Seq: 4, From: 3, CSeq: 7, Time: storyTime + 3500, Kind: chat.Act, Name: "carol"}, acts[0], hash3)
	terms := Terms{Role: chat.RoleModerator, Muted: true, Until: storyTime + 600_000, ReadOnly: true, Archived: true, SlowMS: 30_000, Welcome: "read the pins",
		Pins: []chat.ID{id1, id2}}
	away := RoomPresence{Room: "lobby", Count: 2, Here: []Person{{ID: bobID, Name: "bob"}, {ID: carolID, Name: "carol"}}, Away: []uint64{1}}
	crowd := RoomPresence{Room: "hall", Count: 1234, Snapshot: true}

	text := &Event{Room: 1, Seq: 1, From: 2, CSeq: 5, Time: storyTime - 60_000, Name: "bob", Kind: chat.Text, Body: []byte("anyone here?"), ID: id1}
	reply := &Event{Room: 1, Seq: 2, From: 3, CSeq: 1, Time: storyTime + 1500, Name: "carol", Kind: chat.Text, Body: []byte("me!"), ID: id2, Opts: Opts{Re: id1[:]}}
	action := &Event{Room: 1, Seq: 3, From: 2, CSeq: 6, Time: storyTime + 2500, Name: "bob", Kind: chat.Action, Body: []byte("waves"), ID: id3}

	idGone, _ := storyRow(chat.Header{Seq: 6, From: 2, CSeq: 7, Time: storyTime + 4000, Kind: chat.Text, Name: "bob"}, "my password is hunter2", chat.Hash{})
	redact := "redact " + idGone.String()
	redactSig := actSig(carolKey, storyEpoch, 3, 10, "lobby", redact)
	idRedact, _ := storyRow(chat.Header{Seq: 7, From: 3, CSeq: 10, Time: storyTime + 4500, Kind: chat.Act, Name: "carol"}, redact, chat.Hash{})
	left := chat.BodySum((*[16]byte)(counting(0xf0, 16)), []byte("my password is hunter2"))

	const cu, cd, hu, hd = "control up", "control down", "chat up", "chat down"
	return append(append([]sample{
		{"challenge", cd, &Challenge{Version: Version, Nonce: nonce}},
		{"hello", cu, &Hello{Version: Version, Name: "carol", Key: carolKey.Public().(ed25519.PublicKey), Proof: proof, Origin: origin, FirstUnacked: 1, Token: []byte{}, Card: []byte{}}},
		{"welcome-new", cd, &Welcome{Version: Version, Node: nodeID, Title: "plant 7", Name: "carol", From: 3, Epoch: storyEpoch, Outcomes: []Outcome{}, Limits: limits, Time: storyTime, Space: []byte{}}},
		{"watch", cu, &Watch{Rooms: []string{"lobby"}}},
		{"join-tail", hu, &Join{Room: "lobby", Tail: 50}},
		{"open-ok", hd, &Open{Room: 1, Name: "lobby", From: 1, Head: 1, Low: 1, Topic: "night shift", Peer: []byte{}, Card: []byte{}, Seen: [][2]uint64{}}},
		{"event-text", hd, text},
		{"presence-snapshot", cd, &Presence{Rooms: []Raw{EncodeRaw(&here)}}},
		{"pub-reply", hu, &Pub{CSeq: 1, Room: "lobby", Kind: chat.Text, Body: []byte("me!"), Opts: Opts{Re: id1[:]}}},
		{"ack", hd, &Ack{CSeq: 1, Seq: 2, ID: id2, Time: storyTime + 1500}},
		{"event-reply", hd, reply},
		{"event-action", hd, action},
		{"bye-goodbye", cu, &Bye{}},

		{"pub-text", hu, &Pub{CSeq: 2, Room: "lobby", Kind: chat.Text, Body: []byte("good morning")}},
		{"pub-topic", hu, &Pub{CSeq: 3, Room: "lobby", Kind: chat.Topic, Body: []byte("day shift")}},
		{"pub-skip", hu, &Pub{CSeq: 4, Room: "lobby", Kind: chat.Skip, Body: []byte{}}},
		{"pub-direct", hu, &Pub{CSeq: 5, Room: "@bob", Kind: chat.Text, Body: []byte("lunch?")}},
		{"ack-skip", hd, &Ack{CSeq: 4, Time: storyTime + 9000}},
		{"refused", hd, &Refused{CSeq: 5, Code: chat.NoSuchUser}},
		{"refused-later", hd, &Refused{CSeq: 6, Code: chat.RoomRate, RetryAfterMS: 360_000}},
		{"nack", hd, &Nack{Expected: 7, Code: chat.NoSpace, RetryAfterMS: 2000}},
		{"join-cursor", hu, &Join{Room: "lobby", Tail: 50, Cursor: &Cursor{Epoch: storyEpoch, Seq: 3, Hash: hash3}}},
		{"join-direct", hu, &Join{Room: "@", Tail: 20}},
		{"open-resume", hd, &Open{Room: 1, Name: "lobby", From: 4, Head: 3, Low: 1, Hash: hash3, Topic: "night shift", Peer: []byte{}, Card: []byte{}, Seen: [][2]uint64{}}},
		{"open-gap", hd, &Open{Room: 1, Name: "lobby", Status: StatusGap, From: 9000, Head: 9900, Low: 9000, Hash: chat.Hash(id3), Topic: "night shift", Peer: []byte{}, Card: []byte{}, Seen: [][2]uint64{}}},
		{"open-reset", hd, &Open{Room: 1, Name: "lobby", Status: StatusReset, From: 1, Head: 3, Low: 1, Why: WhyHash, Topic: "night shift", Peer: []byte{}, Card: []byte{}, Seen: [][2]uint64{}}},
		{"open-denied", hd, &Open{Name: "Lobby", Status: StatusDenied, Code: chat.BadRoom, Peer: []byte{}, Card: []byte{}, Seen: [][2]uint64{}}},
		{"open-direct", hd, &Open{Room: 4, Name: "@bob", From: 1, Low: 1, Peer: bobID, Card: bobCard, Seen: [][2]uint64{}}},
		{"part", hu, &Part{Room: "lobby"}},
		{"closed", hd, &Closed{Room: 1, Name: "lobby"}},
		{"closed-not-joined", hd, &Closed{Name: "annex", Code: chat.NotJoined}},
		{"nick", hu, &Nick{Name: "caroline"}},
		{"named", hd, &Named{Name: "caroline"}},
		{"named-taken", hd, &Named{Name: "carol", Code: chat.NameTaken, Suggest: "bob~7q2f"}},
		{"welcome-resume", cd, &Welcome{Version: Version, Node: nodeID, Name: "carol", From: 3, Epoch: storyEpoch, LastCSeq: 5, Outcomes: []Outcome{
			{CSeq: 4, Time: storyTime + 9000}, {CSeq: 5, Code: chat.NoSuchUser, Time: storyTime + 9500}}, Limits: limits, Time: storyTime + 60_000, Space: []byte{}}},
		{"bye-stopping", cd, &Bye{Code: chat.Stopping, RetryAfterMS: 1000, Text: "back in a minute"}},
		{"notice", cd, &Notice{Code: chat.NameTaken, Text: "carol is taken; you are carol~7q2f"}},
		{"presence-change", cd, &Presence{Rooms: []Raw{EncodeRaw(&change), EncodeRaw(&crowd)}}},
		{"failed", cd, &Failed{Code: chat.Unsupported}},
		{"names", cu, &Names{Room: "lobby"}},
		{"names-are", cd, &NamesAre{People: []Person{{ID: bobID, Name: "bob"}}, Total: 2, More: true, Away: []uint64{}}},
		{"names-are-away", cd, &NamesAre{People: []Person{{ID: bobID, Name: "bob"}, {ID: carolID, Name: "carol"}}, Total: 2, Away: []uint64{1}}},
		{"whois", cu, &Whois{Who: "bob"}},
		{"whois-is", cd, &WhoisIs{Person: Person{ID: bobID, Name: "bob"}, Sessions: 2, Rooms: []string{"lobby"}, Since: storyTime - 120_000, Card: bobCard}},
		{"whois-is-away", cd, &WhoisIs{Person: Person{ID: carolID, Name: "carol"}, Sessions: 1, Rooms: []string{"lobby"}, Since: storyTime - 60_000,
			Away: "lunch", AwaySince: storyTime, Card: []byte{}}},
		{"list", cu, &List{After: "hall"}},
		{"list-is", cd, &ListIs{Rooms: []RoomInfo{{Name: "lobby", Members: 2, Head: 3, Topic: "night shift"}}}},
		{"authors", cu, &Authors{From: []uint64{2, 3, 77}}},
		{"authors-are", cd, &AuthorsAre{Authors: []Author{{From: 2, ID: bobID}, {From: 3, ID: carolID}}}},
		{"history", cu, &History{Room: "lobby", Before: 4, N: 2}},
		{"history-since", cu, &History{Room: "@bob", Since: storyTime, N: chat.MaxTail}},
		{"history-is", cd, &HistoryIs{Events: []Raw{rawEvent(text), rawEvent(reply)}, Low: 1}},
		{"history-is-more", cd, &HistoryIs{Events: []Raw{rawEvent(action)}, Low: 1, More: true}},
		{"search", cu, &Search{Words: "anyone", N: 20}},
		{"search-in", cu, &Search{Words: "wav", Room: "lobby", From: "bob", Before: 8, N: 20}},
		{"search-is", cd, &SearchIs{Rooms: []RoomName{{Room: 1, Name: "lobby"}}, Events: []Raw{rawEvent(text)}, Next: 1, Behind: 2}},
		{"search-is-none", cd, &SearchIs{Rooms: []RoomName{}, Events: []Raw{}}},
		{"keep-ask", cu, &Keep{Room: "lobby"}},
		{"keep-bounds", cu, &Keep{Room: "lobby", Mode: KeepBounds, AgeMS: 90 * 24 * 3600 * 1000, Size: 1 << 30}},
		{"keep-default", cu, &Keep{Room: "lobby", Mode: KeepDefault}},
		{"keep-is", cd, &KeepIs{Set: true, AgeMS: 90 * 24 * 3600 * 1000, Size: 1 << 30}},
		{"hello-token", cu, &Hello{Version: Version, Name: "carol", Key: carolKey.Public().(ed25519.PublicKey), Proof: proof, Origin: origin, FirstUnacked: 1,
			Token: counting(0xa0, TokenLen), Card: []byte{}}},
		{"hello-card", cu, &Hello{Version: Version, Name: "carol", Key: carolKey.Public().(ed25519.PublicKey), Proof: proof, Origin: origin, FirstUnacked: 1, Token: []byte{}, Card: cardOf(counting(0x00, 32))}},
		{"bye-not-invited", cd, &Bye{Code: chat.NotInvited}},
		{"named-too-fast", hd, &Named{Name: "carol", Code: chat.TooFast, RetryAfterMS: 60_000}},
		{"failed-too-fast", cd, &Failed{Code: chat.TooFast, RetryAfterMS: 5000}},
		{"invite", cu, &Invite{Room: "lobby", Uses: 5, ForMS: 24 * 3600 * 1000}},
		{"invite-is", cd, &InviteIs{Token: counting(0xa0, TokenLen), Uses: 5, Expires: storyTime + 24*3600*1000, Addresses: []string{"192.0.2.5:8080", "[2001:db8::5]:8080"}}},
		{"release", cu, &Release{Name: "carol"}},
		{"release-is", cd, &ReleaseIs{Owner: Person{ID: bobID, Name: "Carol"}}},
		{"away", cu, &Away{Away: true, Text: "lunch"}},
		{"away-back", cu, &Away{}},
		{"away-is", cd, &AwayIs{Away: true, Text: "lunch", Since: storyTime}},
		{"away-is-back", cd, &AwayIs{}},
		{"presence-away", cd, &Presence{Rooms: []Raw{EncodeRaw(&away)}}},
		{"event-100", hd, eventOf100()},
		{"pub-act", hu, &Pub{CSeq: 7, Room: "lobby", Kind: chat.Act, Body: []byte(acts[0]), Opts: Opts{Sig: sigs[0]}}},
		{"pub-act-ban", hu, &Pub{CSeq: 8, Room: "lobby", Kind: chat.Act, Body: []byte(acts[1]), Opts: Opts{Sig: sigs[1]}}},
		{"pub-act-room", hu, &Pub{CSeq: 9, Room: "lobby", Kind: chat.Act, Body: []byte(acts[2]), Opts: Opts{Sig: sigs[2]}}},
		{"event-act", hd, &Event{Room: 1, Seq: 4, From: 3, CSeq: 7, Time: storyTime + 3500, Name: "carol", Kind: chat.Act, Body: []byte(acts[0]), ID: idAct, Opts: Opts{Sig: sigs[0]}}},
		{"event-redacted", hd, &Event{Room: 1, Seq: 6, From: 2, CSeq: 7, Time: storyTime + 4000, Name: "bob", Kind: chat.Text, Body: []byte{}, ID: idGone, Opts: Opts{Gone: left[:]}}},
		{"pub-redact", hu, &Pub{CSeq: 10, Room: "lobby", Kind: chat.Act, Body: []byte(redact), Opts: Opts{Sig: redactSig, Row: 6}}},
		{"event-redact", hd, &Event{Room: 1, Seq: 7, From: 3, CSeq: 10, Time: storyTime + 4500, Name: "carol", Kind: chat.Act, Body: []byte(redact), ID: idRedact, Opts: Opts{Sig: redactSig, Row: 6}}},
		{"refused-muted", hd, &Refused{CSeq: 7, Code: chat.Muted, RetryAfterMS: 590_000}},
		{"open-terms", hd, &Open{Room: 1, Name: "lobby", From: 4, Head: 3, Low: 1, Hash: hash3, Topic: "night shift", Peer: []byte{}, Terms: terms, Card: []byte{}, Seen: [][2]uint64{}}},
		{"open-banned", hd, &Open{Name: "lobby", Status: StatusDenied, Code: chat.Banned, Peer: []byte{}, Card: []byte{}, Seen: [][2]uint64{}}},
		{"terms", hd, &TermsAre{Room: 1, Terms: Terms{Role: chat.RoleOwner, SlowMS: 30_000}}},
		{"terms-none", hd, &TermsAre{Room: 1}},
		{"closed-kicked", hd, &Closed{Room: 1, Name: "lobby", Code: chat.Kicked}},
		{"banned", cu, &Banned{Room: "lobby", After: []byte{}}},
		{"banned-are", cd, &BannedAre{Bans: []Ban{{Who: Person{ID: bobID, Name: "bob"}, By: Person{ID: carolID, Name: "carol"}, Since: storyTime, Until: storyTime + 600_000, Text: "spam"}}}},
	}, movingSamples()...), peerSamples()...)
}

// actSig is the signature of an act that the story's node takes, made from the bytes that docs/protocol.md lists.
func actSig(key ed25519.PrivateKey, epoch, from, cseq uint64, room, body string) []byte {
	text := append([]byte("chatnode/act/2"), nodeID...)
	for _, n := range []uint64{epoch, from, cseq} {
		text = binary.BigEndian.AppendUint64(text, n)
	}
	text = append(binary.BigEndian.AppendUint16(text, uint16(len(room))), room...)
	text = append(binary.BigEndian.AppendUint16(text, uint16(len(body))), body...)
	return append(bytes.Clone(key.Public().(ed25519.PublicKey)), ed25519.Sign(key, text)...)
}

// rawEvent is an event as answers carry it: without a length.
func rawEvent(e *Event) Raw { return Must(nil, e)[HeaderLen:] }

// eventOf100 is an event as a busy room has them: five figures of rows, a text of 100 bytes.
func eventOf100() *Event {
	return &Event{Room: 12, Seq: 70_000, From: 300, CSeq: 400, Time: storyTime, Name: "carol", Kind: chat.Text, Body: []byte(strings.Repeat("0123456789", 10)), ID: chat.ID(counting(1, 8))}
}
