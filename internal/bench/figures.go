package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
)

// quantity is something that figures are of. Keys are a contract with whoever reads the JSON.
type quantity struct {
	key   string
	title string
	show  func(float64) string
}

var (
	fsyncRate         = quantity{"fsyncs_per_s", "fsyncs/s", scaled}
	keptRate          = quantity{"messages_per_s", "messages/s", scaled}
	keptEachFsync     = quantity{"messages_per_fsync", "messages/fsync", digits}
	ackMedian         = quantity{"ack_p50_ms", "ack p50 ms", digits}
	ackTail           = quantity{"ack_p99_ms", "ack p99 ms", digits}
	serverPerMessage  = quantity{"server_cpu_us_per_message", "server CPU µs/message", digits}
	loadPerMessage    = quantity{"load_cpu_us_per_message", "load CPU µs/message", digits}
	databaseBytes     = quantity{"database_bytes_per_message", "database bytes/message", digits}
	indexBytes        = quantity{"index_bytes_per_message", "search index bytes/message", digits}
	listenTime        = quantity{"listening_ms", "listening after ms", digits}
	serveTime         = quantity{"serving_ms", "first welcome after ms", digits}
	binarySize        = quantity{"size_mb", "size MB", digits}
	rowRate           = quantity{"rows_per_s", "rows/s", scaled}
	serverPerRow      = quantity{"server_cpu_us_per_row", "server CPU µs/row", digits}
	loadPerRow        = quantity{"load_cpu_us_per_row", "load CPU µs/row", digits}
	framesEach        = quantity{"frames_per_delivery", "data frames/delivery", digits}
	sentEach          = quantity{"sent_per_delivery", "messages sent/delivery", digits}
	delayMedian       = quantity{"delay_p50_ms", "delay p50 ms", digits}
	delayTail         = quantity{"delay_p99_ms", "delay p99 ms", digits}
	senderEach        = quantity{"sender_cpu_us_per_message", "sender CPU µs/message", digits}
	receiverEach      = quantity{"receiver_cpu_us_per_message", "receiver CPU µs/message", digits}
	memoryEach        = quantity{"rss_kb_per_link", "memory KB/link", digits}
	heapEach          = quantity{"anonymous_kb_per_link", "heap and stacks KB/link", digits}
	deliveryRate      = quantity{"deliveries_per_s", "deliveries/s", scaled}
	rateOfOne         = quantity{"deliveries_per_s_to_one_room", "… of one room's", ratioText}
	serverPerDelivery = quantity{"server_cpu_us_per_delivery", "server CPU µs/delivery", digits}
	costOfOne         = quantity{"server_cpu_to_one_room", "… of one room's", ratioText}
	loadPerDelivery   = quantity{"load_cpu_us_per_delivery", "load CPU µs/delivery", digits}
	bytesPerDelivery  = quantity{"bytes_per_delivery", "bytes/delivery", digits}
	latencyMedian     = quantity{"latency_p50_ms", "latency p50 ms", digits}
	latencyTail       = quantity{"latency_p99_ms", "latency p99 ms", digits}
	joinedTime        = quantity{"joined_s", "all in after s", digits}
	joinEach          = quantity{"join_ms", "ms/join", digits}
	serverPerJoin     = quantity{"server_cpu_us_per_join", "server CPU µs/join", digits}
	loadPerJoin       = quantity{"load_cpu_us_per_join", "load CPU µs/join", digits}
	backTime          = quantity{"back_s", "killed: all back after s", digits}
	backEach          = quantity{"return_ms", "ms/return", digits}
	serverPerReturn   = quantity{"server_cpu_us_per_return", "server CPU µs/return", digits}
	loadPerReturn     = quantity{"load_cpu_us_per_return", "load CPU µs/return", digits}
	triesEach         = quantity{"tries_per_return", "connections/return", digits}
	healTime          = quantity{"heal_s", "healed after s", digits}
	healRate          = quantity{"messages_per_s", "messages/s", scaled}
)

// figure is one quantity in one case, over all runs.
type figure struct {
	of     string // the case, such as "64 publishers"
	what   quantity
	values []float64
}

// figures gathers what one scenario after the other gives, and prints it, as a table or as JSON.
type figures struct {
	cfg    *config
	out    io.Writer
	headed bool
	list   []figure // not yet printed, in the order in which they came first
}

func newFigures(cfg *config, out io.Writer) *figures { return &figures{cfg: cfg, out: out} }

// add notes what one run gave.
func (f *figures) add(of string, what quantity, value float64) {
	i := slices.IndexFunc(f.list, func(g figure) bool { return g.of == of && g.what.key == what.key })
	if i < 0 {
		i = len(f.list)
		f.list = append(f.list, figure{of: of, what: what})
	}
	f.list[i].values = append(f.list[i].values, value)
}

// print prints what a scenario has given, and forgets it.
func (f *figures) print(s scenario) error {
	defer func() { f.list = nil }()
	if f.cfg.json {
		return f.printJSON(s)
	}
	return f.printTable(s)
}

// gap parts what has been printed from another table.
func (f *figures) gap() error {
	if !f.headed {
		return nil
	}
	_, err := io.WriteString(f.out, "\n")
	return err
}

func (f *figures) printTable(s scenario) error {
	const line = "%-8s %-39s %-27s %26s\n"
	var text strings.Builder
	if !f.headed {
		f.headed = true
		stores := ""
		if f.cfg.place != nil {
			stores = "; stores in " + f.cfg.place.dir + onWhat(f.cfg.place.dir)
		}
		fmt.Fprintf(&text, "texts of %d bytes; %d runs, %v each case%s; %d CPUs\n\n", f.cfg.payload, f.cfg.runs, f.cfg.duration, stores, runtime.NumCPU())
		fmt.Fprintf(&text, line, "", "", "", "median (min to max)")
	}
	scene, last := string(s), ""
	for _, g := range f.list {
		of := g.of
		if of == last {
			of = ""
		}
		fmt.Fprintf(&text, line, scene, of, g.what.title, spreadOf(g.values).show(g.what.show))
		scene, last = "", g.of
	}
	_, err := io.WriteString(f.out, text.String())
	return err
}

// onWhat tells what kind of file system dir is on, as far as it is known.
func onWhat(dir string) string {
	switch kind := fileSystem(dir); kind {
	case "":
		return ""
	case "tmpfs", "ramfs":
		return " (" + kind + ": memory and no disk)"
	default:
		return " (" + kind + ")"
	}
}

func (f *figures) printJSON(s scenario) error {
	enc := json.NewEncoder(f.out)
	dir, kind := "", ""
	if f.cfg.place != nil {
		dir, kind = f.cfg.place.dir, fileSystem(f.cfg.place.dir)
	}
	for _, g := range f.list {
		err := enc.Encode(struct {
			Type       string      `json:"type"`
			Scenario   scenario    `json:"scenario"`
			Case       string      `json:"case"`
			Measure    string      `json:"measure"`
			Chatnode   *jsonSpread `json:"chatnode"`
			Runs       int         `json:"runs"`
			Payload    int         `json:"payload"`
			Messages   int         `json:"messages"`
			DurationMS int64       `json:"duration_ms"`
			Dir        string      `json:"dir,omitempty"`
			FileSystem string      `json:"file_system,omitempty"`
		}{
			"bench", s, g.of, g.what.key, spreadOf(g.values).json(), f.cfg.runs, f.cfg.payload, f.cfg.messages, f.cfg.duration.Milliseconds(),
			dir, kind,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rate returns how many a second n are, from one reading to another.
func rate(n uint64, from, to reading) float64 {
	seconds := to.at.Sub(from.at).Seconds()
	if seconds <= 0 {
		return math.NaN()
	}
	return float64(n) / seconds
}
