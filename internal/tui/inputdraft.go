package tui

import "slices"

// maxDrafts is how many places keep what was typed in them. Beyond it that goes which was left longest ago.
const maxDrafts = 512

// draft is what waits in a place: the text, and what was being typed before ↑ brought an earlier one.
type draft struct {
	shown step
	entry int  // the line of the history that is shown; 0 for none
	live  step // what was being typed, where there is one
}

func (d draft) isEmpty() bool { return d.shown.text == "" && d.live.text == "" }

// draft returns what would wait here.
func (in *input) draft() draft {
	shown := step{in.text, in.at}
	if in.seek != nil {
		shown = in.seek.before
	}
	if in.entry == 0 {
		return draft{shown: shown}
	}
	return draft{shown, in.entry, in.edits[0]}
}

// switchTo keeps the draft of the place that was and brings the one of place. A search ends without having been.
func (in *input) switchTo(place string) {
	if place == in.place {
		return
	}
	in.keep(in.place, in.draft())
	in.place = place
	in.bring(in.kept[place])
	in.drop(place)
	in.pop = popup{}
	in.refuse = ""
}

// bring shows a draft.
func (in *input) bring(d draft) {
	in.seek, in.entry, in.edits = nil, d.entry, nil
	if d.entry != 0 {
		in.edits = map[int]step{0: d.live}
	}
	in.put(d.shown)
}

// keep has a draft wait in a place.
func (in *input) keep(place string, d draft) {
	in.drop(place)
	if d.isEmpty() {
		return
	}
	if len(in.order) == maxDrafts {
		in.drop(in.order[0])
	}
	in.kept[place] = d
	in.order = append(in.order, place)
}

// drop lets go of what waits in a place.
func (in *input) drop(place string) {
	if _, ok := in.kept[place]; ok {
		delete(in.kept, place)
		in.order = slices.DeleteFunc(in.order, func(p string) bool { return p == place })
	}
}

// move has what waits in one place wait in another. What is typed there already goes to the history.
func (in *input) move(from, to string) {
	d := in.kept[from]
	in.drop(from)
	switch {
	case d.isEmpty():
	case to == in.place:
		in.remember(in.text)
		in.bring(d)
	default:
		in.remember(in.kept[to].shown.text)
		in.keep(to, d)
	}
}

// forget lets go of what is typed in a place that was closed, be it the one where the user is.
func (in *input) forget(place string) {
	if place == in.place {
		in.bring(draft{})
		in.pop = popup{}
	}
	in.drop(place)
}

// drafts returns the places in which something is typed, sorted.
func (in *input) drafts() []string {
	places := slices.Clone(in.order)
	if !in.draft().isEmpty() {
		places = append(places, in.place)
	}
	slices.Sort(places)
	return places
}
