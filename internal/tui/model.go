package tui

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/client"
	"chatnode/internal/talk"
)

// tick comes once a second: countdowns go on, and who does not type for long is away.
type tick time.Time

// wentOn says that the process was stopped, and goes on.
type wentOn struct{}

// model is everything that is on the screen, and why. Bubble Tea's loop owns it.
type model struct {
	// Static after construction.
	cfg    *Config
	client Client
	asking context.Context // of questions to the node: it ends with the screen
	until  context.Context // of what has the terminal in place of the screen: it ends when the program is told to
	asker  talk.Asker
	reader *talk.Reader
	beat   func() tea.Cmd // has the next tick come

	// The screen.
	width, height int
	theme         *theme
	dark, colours bool
	hideRooms     bool
	hidePeople    bool
	flash         string    // a line for a moment, in the status
	flashUntil    time.Time //

	// What is typed.
	input    *input
	question *question // stands where the input does until it is answered; nil: none
	cleared  time.Time // when Ctrl-C was pressed last: again, soon, it quits

	// What is talked about.
	name    string // the user's
	title   string // the node's
	status  *buffer
	buffers []*buffer // in the order of their numbers, status first
	made    int       // buffers so far
	shown   *buffer
	before  *buffer // that was shown before: closing one goes back there

	link   link
	person attention
	away   struct{ messages, rooms int } // what came before this program was started, and after the last one had ended

	// The end.
	quitting  bool // the client says goodbye
	unreached bool // no node could be reached for too long
	ended     bool // the client has
}

func newModel(asking context.Context, cfg *Config) *model {
	m := &model{
		cfg: cfg, client: cfg.Client, asking: asking, until: asking, input: newInput(), name: cfg.Client.Name(), dark: true, colours: true,
		asker:  talk.Asker{Client: cfg.Client, Timeout: cfg.Timeout, ID: cfg.ID, Reached: cfg.Reached},
		reader: talk.NewReader(cfg.Client),
	}
	m.beat, m.asker.Reader = m.second, m.reader
	m.link.begun, m.person.typed = cfg.Now(), cfg.Now()
	m.theme = newTheme(m.dark, m.colours)
	m.status = m.add(bufStatus, "")
	m.show(m.status)
	if n := cfg.Client.Pending(); n > 0 {
		m.status.note(talk.LeftText(n), cfg.Now())
	}
	for _, room := range cfg.Rooms {
		m.open(room)
	}
	if len(m.buffers) > 1 {
		m.show(m.buffers[1])
	}
	m.logged() // what was said before there was a screen
	return m
}

// Init asks the terminal what it is, and begins the seconds.
func (m *model) Init() tea.Cmd {
	return tea.Batch(tea.RequestBackgroundColor, m.beat())
}

// second waits for the next tick, unless the screen ends before.
func (m *model) second() tea.Cmd {
	return func() tea.Msg {
		timer := time.NewTimer(time.Second)
		defer timer.Stop()
		select {
		case t := <-timer.C:
			return tick(t)
		case <-m.asking.Done():
			return nil
		}
	}
}

// Update takes in what has happened. What is to be done outside of the model comes back as a command.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.update(msg)
	return m, tea.Batch(cmd, m.settle())
}

func (m *model) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		return m.key(msg)
	case tea.PasteMsg:
		return m.paste(msg.Content)
	case happened:
		return m.happened(msg)
	case page:
		return m.paged(msg)
	case found:
		return m.foundMore(msg)
	case located:
		return m.located(msg)
	case answered:
		return m.answered(msg)
	case authored:
		m.authored(msg)
	case composed:
		return m.composed(msg)
	case lagged:
		m.link.lagged(msg)
	case tick:
		return tea.Batch(m.tick(), m.beat())
	case logged:
		m.logged()
	case wentOn:
		m.person.typed = m.cfg.Now()
	case over:
		m.ended = true
		return tea.Quit
	case told:
		return m.interrupt()
	default:
		m.terminal(msg)
	}
	return nil
}

// terminal takes in what the terminal says of itself.
func (m *model) terminal(msg tea.Msg) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.FocusMsg:
		m.person.focus(true)
	case tea.BlurMsg:
		m.person.focus(false)
		m.shown.unmark()
	case tea.BackgroundColorMsg:
		m.dress(msg.IsDark(), m.colours)
	case tea.ColorProfileMsg:
		m.dress(m.dark, hasColours(msg.Profile))
	}
}

// dress has everything drawn for another terminal.
func (m *model) dress(dark, colours bool) {
	m.dark, m.colours = dark, colours
	m.theme = newTheme(dark, colours)
	for _, b := range m.buffers {
		b.redraw(m.theme)
	}
}

// logged shows the lines of the log: in chatnode's own buffer, and the last of those that are for the user for a moment.
func (m *model) logged() {
	for _, line := range m.cfg.Log.take() {
		text, forUser := strings.CutPrefix(line, "-- ")
		m.status.note(text, m.cfg.Now())
		if forUser {
			m.say(text)
		}
		if m.shown != m.status {
			m.status.unread++
		}
	}
}

// tick goes on with what depends on time.
func (m *model) tick() tea.Cmd {
	now := m.cfg.Now()
	if m.flash != "" && now.After(m.flashUntil) {
		m.flash = ""
	}
	if !m.link.ever && !m.cfg.Wait && now.Sub(m.link.begun) > m.cfg.Timeout && !m.ended {
		m.unreached = true
		m.client.Close()
	}
	return tea.Batch(m.askLag(now), m.idle(now))
}

// say shows a line for a moment: a hint, or why something was not done.
func (m *model) say(text string) {
	const moment = 6 * time.Second
	m.flash, m.flashUntil = text, m.cfg.Now().Add(moment)
}

// settle does what follows from anything: the panes fit the screen, what is read is read, what is missing above is asked for.
func (m *model) settle() tea.Cmd {
	m.fit()
	m.look()
	return tea.Batch(m.fetch(m.shown), m.foundPage(m.shown))
}

// happened takes in events. The client remembers how far it was shown: the last of each room stands for those before it.
func (m *model) happened(events []client.Event) tea.Cmd {
	var cmds []tea.Cmd
	last := map[string]int{}
	for i, e := range events {
		cmds = append(cmds, m.event(e))
		if e, ok := e.(client.Message); ok {
			last[e.Room] = i
		}
	}
	for i, e := range events {
		if e, ok := e.(client.Message); ok && last[e.Room] > i {
			continue
		}
		m.client.Shown(e)
	}
	return tea.Batch(cmds...)
}
