package settings

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/identity"
)

const (
	ones  = "AQEBAQEBAQEBAQEBAQEBAQ"
	other = "AgICAgICAgICAgICAgICAg"
	link  = "chatnode://plant:8080/ops?node=" + carol + "&t=" + ones
)

func TestInvitations(t *testing.T) {
	type result struct {
		connect, rooms []string
		links          int
		token          string
	}
	for name, c := range map[string]struct {
		args []string
		env  string
		want result
	}{
		"a link to connect":       {[]string{"-connect", link}, "", result{[]string{"plant:8080"}, []string{"ops"}, 1, ones}},
		"with a room":             {[]string{"-connect", link, "-room", "lab"}, "", result{[]string{"plant:8080"}, []string{"lab"}, 1, ones}},
		"a link without a room":   {[]string{"-connect", strings.Replace(link, "ops", "", 1)}, "", result{[]string{"plant:8080"}, nil, 1, ones}},
		"a link without a token":  {[]string{"-connect", strings.TrimSuffix(link, "&t="+ones)}, "", result{[]string{"plant:8080"}, []string{"ops"}, 1, ""}},
		"beside addresses":        {[]string{"-connect", "lab", "-connect", link}, "", result{[]string{"lab", "plant:8080"}, []string{"ops"}, 1, ones}},
		"two links":               {[]string{"-connect", link, "-connect", strings.NewReplacer("plant", "lab", "ops", "lab").Replace(link)}, "", result{[]string{"plant:8080", "lab:8080"}, []string{"ops", "lab"}, 2, ones}},
		"an invitation":           {[]string{"-invite", link}, "", result{[]string{"plant:8080"}, []string{"ops"}, 1, ones}},
		"in the environment":      {nil, link, result{[]string{"plant:8080"}, []string{"ops"}, 1, ones}},
		"the flag wins":           {[]string{"-invite", link}, "nonsense", result{[]string{"plant:8080"}, []string{"ops"}, 1, ones}},
		"for the same address":    {[]string{"-connect", "PLANT", "-invite", link}, "", result{[]string{"PLANT"}, []string{"ops"}, 1, ones}},
		"a token":                 {[]string{"-connect", "plant", "-invite", ones}, "", result{[]string{"plant"}, nil, 0, ones}},
		"a token twice":           {[]string{"-connect", link, "-invite", ones}, "", result{[]string{"plant:8080"}, []string{"ops"}, 1, ones}},
		"a token for a bare link": {[]string{"-connect", strings.TrimSuffix(link, "&t="+ones)}, ones, result{[]string{"plant:8080"}, []string{"ops"}, 1, ones}},
		"a node has no use":       {[]string{"-listen", ":0"}, "nonsense", result{}},
		"a node of another":       {[]string{"-listen", ":0", "-connect", "lab", "-connect", link}, "nonsense", result{[]string{"lab", "plant:8080"}, nil, 1, ones}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.env != "" {
				t.Setenv("CHATNODE_INVITE", c.env)
			}
			o, err := Parse(c.args, "check")
			if err != nil {
				t.Fatal(err)
			}
			got := result{o.Connect, o.Rooms, len(o.Links), ""}
			node, _ := identity.ParseID(carol)
			if token := o.TokenFor(node); token != nil {
				got.token = identity.TokenText(token)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTokensAreForTheirNode: what a link holds is shown to the node that it names, and what names none to each.
func TestTokensAreForTheirNode(t *testing.T) {
	node, _ := identity.ParseID(carol)
	another, _ := identity.ParseID(others)
	elsewhere := strings.NewReplacer("plant", "lab", carol, others, ones, other).Replace(link)
	for name, c := range map[string]struct {
		args           []string
		here, there, x string // shown to the one, to the other, and to one that nobody names
	}{
		"a link":       {[]string{"-connect", link, "-connect", "lab"}, ones, "", ""},
		"two":          {[]string{"-connect", link, "-connect", elsewhere}, ones, other, ""},
		"beside":       {[]string{"-connect", "plant", "-connect", "lab", "-invite", link}, ones, "", ""},
		"a token":      {[]string{"-connect", "plant", "-connect", "lab", "-invite", ones}, ones, ones, ones},
		"both, of one": {[]string{"-connect", link, "-connect", "lab", "-invite", ones}, ones, ones, ones},
	} {
		o, err := Parse(c.args, "check")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for id, want := range map[identity.ID]string{node: c.here, another: c.there, {9}: c.x, {}: c.x} {
			if got := identity.TokenText(o.TokenFor(id)); got != want {
				t.Errorf("%s: %v is shown %q, want %q", name, id, got, want)
			}
		}
	}
}

// others is another node's id.
const others = "cn1ubiig7mfa4cyfthxhffqtceeptbrfs4iewnyssez63zdttyxsgszog3u"

// TestInvitationsRefused: with a reason, and without a word of the token.
func TestInvitationsRefused(t *testing.T) {
	for says, args := range map[string][]string{
		"-connect: the invitation has no host":        {"-connect", strings.Replace(link, ":8080", "", 1)},
		"-connect: the invitation says something":     {"-connect", link + "&t=" + ones},
		"-invite: the invitation's node id":           {"-invite", strings.Replace(link, "cn1m", "cn1n", 1)},
		"-invite: that is neither a link":             {"-connect", "plant", "-invite", ones[1:]},
		"22 letters":                                  {"-connect", "plant", "-invite", ones + "x"},
		"-invite TOKEN goes with -connect":            {"-invite", ones},
		"-connect names another address":              {"-connect", "lab", "-invite", link},
		"two tokens":                                  {"-connect", link, "-invite", other},
		"two invitations have two tokens":             {"-connect", link, "-connect", strings.NewReplacer("plant", "lab", ones, other).Replace(link)},
		"two invitations name two nodes at plant:808": {"-connect", link, "-connect", strings.Replace(link, carol, others, 1)},
		"stands behind -connect":                      {link},
		"an invitation is of no use with -insecure":   {"-insecure", "-connect", strings.TrimSuffix(link, "&t="+ones)},
		"is not for nodes that link":                  {"-listen", ":0", "-insecure", "-connect", "plant"},
		"-insecure is not for nodes":                  {"-listen", ":0", "-insecure", "-discover"},
		"-discover is for a node":                     {"-discover", "-connect", "plant"},
		"-connect: the invitation's node id":          {"-listen", ":0", "-connect", strings.Replace(link, "cn1m", "cn1n", 1)},
		"of no use with -insecure: ":                  {"-insecure", "-connect", "plant", "-invite", ones},
	} {
		o, err := Parse(args, "check")
		var usage *UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, %v; want a usage error with %q", args, o, err, says)
		} else if strings.Contains(err.Error(), ones[1:9]) || strings.Contains(err.Error(), other[1:9]) {
			t.Errorf("%q: the token is in %v", args, err)
		}
	}
	t.Setenv("CHATNODE_INVITE", link+"x")
	if _, err := Parse([]string{"-name", "carol"}, "check"); err == nil || strings.Contains(err.Error(), ones[1:9]) {
		t.Errorf("in the environment: %v", err)
	}
}
