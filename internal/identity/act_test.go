package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"chatnode/internal/chat"
)

// TestSignedAct: a signature is of one key and covers every field, and each field for itself.
func TestSignedAct(t *testing.T) {
	carol, mallory := keyOf(ed25519.NewKeyFromSeed(seed())), keyOf(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)))
	act := SignedAct{Node: mallory.ID(), Epoch: 1, From: 2, CSeq: 3, Room: "lobby", Body: []byte("readonly")}
	sig := carol.SignAct(&act)
	if len(sig) != ActSigLen || !act.SignedBy(carol.ID(), sig) {
		t.Fatalf("a signature of %d bytes does not hold", len(sig))
	}
	for what, change := range map[string]func(a *SignedAct){
		"node": func(a *SignedAct) { a.Node[31]++ }, "node, or none": func(a *SignedAct) { a.Node = ID{} },
		"epoch": func(a *SignedAct) { a.Epoch++ }, "from": func(a *SignedAct) { a.From++ }, "cseq": func(a *SignedAct) { a.CSeq++ }, "room": func(a *SignedAct) { a.Room = "lobbx" },
		"body": func(a *SignedAct) { a.Body = []byte("readonlx") }, "where the room ends": func(a *SignedAct) { a.Room, a.Body = "lobb", []byte("yreadonly") },
		"a long room": func(a *SignedAct) { a.Room = strings.Repeat("x", 1<<16) + a.Room }, "a long body": func(a *SignedAct) { a.Body = make([]byte, 1<<16) },
	} {
		other := act
		if change(&other); other.SignedBy(carol.ID(), sig) {
			t.Errorf("it holds for another %s", what)
		}
	}
	forged := append(bytes.Clone(carol.Public()), ed25519.Sign(mallory.private, act.text())...)
	small := append(make([]byte, 32), sig[32:]...)
	for what, sig := range map[string][]byte{"nothing": nil, "the signature alone": sig[32:], "a byte less": sig[:95], "a byte more": append(bytes.Clone(sig), 0), "another's": mallory.SignAct(&act),
		"a forged one": forged, "a key of small order": small} {
		if act.SignedBy(carol.ID(), sig) {
			t.Errorf("%s holds", what)
		}
	}
	if act.SignedBy(mallory.ID(), sig) {
		t.Error("it is of another key")
	}
	if act.SignedBy(IDOf(small[:32]), small) {
		t.Error("a key of small order signs")
	}
}

// TestSignedActForNoNode: what was signed before there were several nodes is what those before made, and no act of another key's is both.
func TestSignedActForNoNode(t *testing.T) {
	carol := keyOf(ed25519.NewKeyFromSeed(seed()))
	act := SignedAct{Epoch: 1, From: 2, CSeq: 3, Room: "lobby", Body: []byte("readonly")}
	text := "chatnode/act/1\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x03\x00\x05lobby\x00\x08readonly"
	old := append(bytes.Clone(carol.Public()), ed25519.Sign(carol.private, []byte(text))...)
	if !bytes.Equal(carol.SignAct(&act), old) || !act.SignedBy(carol.ID(), old) {
		t.Error("it is signed otherwise than it was")
	}
	act.Node = carol.ID()
	if act.SignedBy(carol.ID(), old) {
		t.Error("it holds for a node too")
	}
}

// TestSignedActVectors holds signatures to testdata/wire, whose were made without this package.
func TestSignedActVectors(t *testing.T) {
	text, err := os.ReadFile("../../testdata/wire/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Name, Hex string }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	carol := keyOf(ed25519.NewKeyFromSeed(seed()))
	bob := "cn1qjgitkuo7ok67e3ctncrswmrfhfm4sw2zgtbqdnlumoo5va6z3tgevck"
	plant := seed() // 40, 41, …
	for i := range plant {
		plant[i] += 0x40
	}
	node := keyOf(ed25519.NewKeyFromSeed(plant)).ID()
	for i, body := range []string{"mute " + bob + " 10m spam", "ban " + bob + " 0s", "readonly"} {
		if _, err := chat.ParseAct(body); err != nil {
			t.Error(err)
		}
		name := []string{"pub-act", "pub-act-ban", "pub-act-room"}[i]
		act := SignedAct{Node: node, Epoch: 0x0123456789abcdef, From: 3, CSeq: uint64(7 + i), Room: "lobby", Body: []byte(body)}
		found := false
		for _, v := range vectors {
			if v.Name == name {
				found = strings.Contains(v.Hex, hex.EncodeToString([]byte(body))) && strings.HasSuffix(v.Hex, hex.EncodeToString(carol.SignAct(&act)))
			}
		}
		if !found {
			t.Errorf("the vector %s is not this act and its signature", name)
		}
	}
}
