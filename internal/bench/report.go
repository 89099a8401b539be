package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
)

// measures are all that is measured, in the order in which it is printed. Keys are a contract with whoever reads the JSON.
var measures = []struct {
	mode  mode
	key   string
	title string
	show  func(float64) string
}{
	{modeSaturate, "deliveries_per_s", "deliveries/s", scaled},
	{modeSaturate, "bytes_per_s", "MB/s", func(v float64) string { return digits(v / 1e6) }},
	{modeSaturate, "bytes_per_delivery", "bytes/delivery", digits},
	{modeSaturate, "server_cpu_us_per_delivery", "server CPU µs/delivery", digits},
	{modeSaturate, "load_cpu_us_per_delivery", "load CPU µs/delivery", digits},
	{modePaced, "messages_per_s", "messages/s", digits},
	{modePaced, "latency_p50_ms", "latency p50 ms", digits},
	{modePaced, "latency_p99_ms", "latency p99 ms", digits},
	{modePaced, "bytes_per_delivery", "bytes/delivery", digits},
	{modePaced, "server_cpu_us_per_delivery", "server CPU µs/delivery", digits},
	{modePaced, "load_cpu_us_per_delivery", "load CPU µs/delivery", digits},
	{modeIdle, "rss_kb_per_client", "memory KB/client", digits},
	{modeIdle, "anonymous_kb_per_client", "heap and stacks KB/client", digits},
	{modeHandshake, "handshakes_per_s", "handshakes/s", scaled},
	{modeHandshake, "node_cpu_us_per_handshake", "node CPU µs/handshake", digits},
	{modeHandshake, "client_cpu_us_per_handshake", "client CPU µs/handshake", digits},
	{modeHandshake, "welcome_p50_ms", "welcome after ms, p50", digits},
	{modeHandshake, "welcome_p99_ms", "welcome after ms, p99", digits},
	{modeHostile, "newcomer_worst_ms", "newcomer waits ms, worst", digits},
	{modeHostile, "server_memory_mb", "server memory MB", digits},
	{modeHostile, "hostile_connections", "hostile connections", digits},
	{modeHostile, "thrown_silent", "thrown out: silent", digits},
	{modeHostile, "thrown_half_way", "thrown out: half a hello", digits},
	{modeHostile, "thrown_dribbling", "thrown out: dribbling", digits},
	{modeHostile, "thrown_deaf", "thrown out: never reading", digits},
	{modeHostile, "thrown_garbled", "thrown out: garbage", digits},
	{modeHostile, "thrown_http", "thrown out: HTTP", digits},
	{modeSlow, "peak_memory_mb", "server memory MB, most", digits},
	{modeSlow, "thrown_stalled", "thrown out: stalled", digits},
	{modeSlow, "thrown_slow", "thrown out: 1 KB/s", digits},
}

// measureOf returns the place of a measure in measures.
func measureOf(m mode, key string) int {
	for i := range measures {
		if measures[i].mode == m && measures[i].key == key {
			return i
		}
	}
	panic("bench: no measure " + string(m) + " " + key)
}

// digits shows a number with three significant digits, or all before the point.
func digits(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return "n/a"
	case size >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 0.9995 || v == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// scaled shows a large number in thousands or millions.
func scaled(v float64) string {
	switch size := math.Abs(v); {
	case size >= 1e6:
		return digits(v/1e6) + "M"
	case size >= 1e3:
		return digits(v/1e3) + "k"
	}
	return digits(v)
}

// row is one measure of both sides.
type row struct {
	clients int
	measure int
	sides   [2]spread
	ratio   spread
	differs spread // by how much the first side is more
}

// rowsOf reduces the runs of both sides, chatnode first, to rows.
func rowsOf(cfg *config, clients int, all [2][]values) []row {
	var rows []row
	for i, m := range measures {
		if !cfg.modes[m.mode] {
			continue
		}
		var of [2][]float64
		for s := range all {
			for _, v := range all[s] {
				of[s] = append(of[s], v[i])
			}
		}
		rows = append(rows, row{
			clients, i, [2]spread{spreadOf(of[0]), spreadOf(of[1])}, spreadOf(ratios(of[0], of[1])), spreadOf(differences(of[0], of[1])),
		})
	}
	return rows
}

// report prints rows, as a table or as JSON.
type report struct {
	cfg    *config
	out    io.Writer
	names  [2]string // of the two sides
	headed bool
}

func newReport(cfg *config, out io.Writer) *report {
	r := &report{cfg: cfg, out: out}
	switch cfg.scenario {
	case scenarioFanout, scenarioSecure:
		r.names = [2]string{"chatnode", "floor"}
	case scenarioTLS, scenarioHandshake:
		r.names = [2]string{"tls", "insecure"}
	case scenarioHostile:
		r.names = [2]string{"hostile", "alone"}
	case scenarioSlow:
		r.names = [2]string{"slow", "without"}
	default:
		r.names = [2]string{"kept", "ephemeral"}
	}
	return r
}

// subtracts reports whether the difference between the sides is printed too: where the question is what the first of them costs more.
func (r *report) subtracts() bool { return r.names[0] == "tls" || r.names[0] == "hostile" }

// print prints what came out for one number of clients.
func (r *report) print(clients int, all [2][]values) error {
	rows := rowsOf(r.cfg, clients, all)
	if r.cfg.json {
		return r.printJSON(rows)
	}
	return r.printTable(rows)
}

const (
	tableLine      = "%-9s %-25s %24s %24s %21s"
	differenceLine = " %24s"
)

const (
	tlsNote     = "a goroutine reads each client, under TLS and without, so that the sides differ in TLS alone; the load has its part of the same CPUs\n"
	secureNote  = "chatnode's links are under TLS, those of the floor are not; a goroutine reads each client of both\n"
	slowNote    = "beside the N clients there are one that never reads and one that reads 1 KB/s, or they are not\n"
	hostileNote = "no good client has lost a message, or had one twice or out of order; all is under TLS\n" +
		"loopback is exempt from a node's limits for each address: over a network, one address can do less harm than this\n"
)

// preface says what the numbers are of.
func (r *report) preface() string {
	cfg := r.cfg
	runs, rate, cpus := fmt.Sprintf("%d pairs of runs, %v each", cfg.runs, cfg.duration), digits(cfg.rate), runtime.NumCPU()
	switch cfg.scenario {
	case scenarioHandshake:
		return fmt.Sprintf("%s; N clients at one time connect, shake hands, are welcomed and leave, again and again; %d CPUs\n", runs, cpus)
	case scenarioHostile:
		return fmt.Sprintf("texts of %d bytes; %s; %s messages/s to N good clients beside %d hostile connections, and alone; %d CPUs\n", cfg.payload, runs,
			rate, cfg.hostile, cpus) + hostileNote
	}
	text := fmt.Sprintf("texts of %d bytes; %s mode; paced at %s messages/s; %d publishers; %d CPUs\n", cfg.payload, runs, rate, cfg.publishers, cpus)
	switch cfg.scenario {
	case scenarioTLS:
		text += tlsNote
	case scenarioSecure:
		text += secureNote
	case scenarioSlow:
		text += slowNote
	}
	return text
}

func (r *report) printTable(rows []row) error {
	var text strings.Builder
	if !r.headed {
		r.headed = true
		text.WriteString(r.preface())
	}
	line := func(first, title, a, b, ratio, difference string) {
		fmt.Fprintf(&text, tableLine, first, title, a, b, ratio)
		if r.subtracts() {
			fmt.Fprintf(&text, differenceLine, difference)
		}
		text.WriteByte('\n')
	}
	if len(rows) > 0 {
		text.WriteByte('\n')
		a, b := r.names[0], r.names[1]
		line(fmt.Sprintf("N=%d", rows[0].clients), "median (min to max)", a, b, a+"/"+b, a+" - "+b)
	}
	last := mode("")
	for _, row := range rows {
		m := measures[row.measure]
		name := m.mode
		if name == last {
			name = ""
		}
		last = m.mode
		line(string(name), m.title, row.sides[0].show(m.show), row.sides[1].show(m.show), row.ratio.show(ratioText), row.differs.show(m.show))
	}
	_, err := io.WriteString(r.out, text.String())
	return err
}

func ratioText(v float64) string {
	if math.IsNaN(v) || v >= 100 {
		return digits(v)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func (s spread) show(number func(float64) string) string {
	if math.IsNaN(s.Median) {
		return "n/a"
	}
	return fmt.Sprintf("%s (%s to %s)", number(s.Median), number(s.Min), number(s.Max))
}

// jsonSpread is a spread in JSON; what is not known is null.
type jsonSpread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func (s spread) json() *jsonSpread {
	if math.IsNaN(s.Median) {
		return nil
	}
	return (*jsonSpread)(&s)
}

// The parts of a row in JSON that do not depend on which sides it compares.
type (
	jsonHead struct {
		Type     string   `json:"type"`
		Scenario scenario `json:"scenario"`
		Clients  int      `json:"clients"`
		Mode     mode     `json:"mode"`
		Measure  string   `json:"measure"`
	}
	jsonTail struct {
		Ratio      *jsonSpread `json:"ratio"`
		Runs       int         `json:"runs"`
		Payload    int         `json:"payload"`
		Rate       float64     `json:"rate"`
		Publishers int         `json:"publishers"`
		DurationMS int64       `json:"duration_ms"`
	}
	jsonFloor struct {
		jsonHead
		Chatnode *jsonSpread `json:"chatnode"`
		Floor    *jsonSpread `json:"floor"`
		jsonTail
	}
	jsonStore struct {
		jsonHead
		Kept      *jsonSpread `json:"kept"`
		Ephemeral *jsonSpread `json:"ephemeral"`
		jsonTail
	}
	jsonLinks struct {
		jsonHead
		TLS        *jsonSpread `json:"tls"`
		Insecure   *jsonSpread `json:"insecure"`
		Difference *jsonSpread `json:"difference"`
		jsonTail
	}
	jsonSlow struct {
		jsonHead
		Slow    *jsonSpread `json:"slow"`
		Without *jsonSpread `json:"without"`
		jsonTail
	}
	jsonMob struct {
		jsonHead
		Connections int         `json:"hostile_connections"`
		Hostile     *jsonSpread `json:"hostile"`
		Alone       *jsonSpread `json:"alone"`
		Difference  *jsonSpread `json:"difference"`
		jsonTail
	}
)

func (r *report) printJSON(rows []row) error {
	enc := json.NewEncoder(r.out)
	for _, row := range rows {
		m := measures[row.measure]
		head := jsonHead{"bench", r.cfg.scenario, row.clients, m.mode, m.key}
		tail := jsonTail{row.ratio.json(), r.cfg.runs, r.cfg.payload, r.cfg.rate, r.cfg.publishers, r.cfg.duration.Milliseconds()}
		a, b := row.sides[0].json(), row.sides[1].json()
		var line any
		switch r.cfg.scenario {
		case scenarioFanout, scenarioSecure:
			line = jsonFloor{head, a, b, tail}
		case scenarioTLS, scenarioHandshake:
			line = jsonLinks{head, a, b, row.differs.json(), tail}
		case scenarioHostile:
			line = jsonMob{head, r.cfg.hostile, a, b, row.differs.json(), tail}
		case scenarioSlow:
			line = jsonSlow{head, a, b, tail}
		default:
			head.Scenario = scenarioStore // it may be a part of the scenario disk
			line = jsonStore{head, a, b, tail}
		}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
