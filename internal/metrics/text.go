package metrics

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"chatnode/internal/hub"
)

// Kinds of metrics, as the format spells them.
const (
	gauge     = "gauge"
	counter   = "counter"
	histogram = "histogram"
)

// metric is a row of the table of what is served.
type metric struct {
	name   string
	kind   string
	labels []string
	help   string
	values func(s *snapshot) []value        // of a gauge or a counter
	times  func(s *snapshot) *hub.Histogram // of a histogram
}

// value is a number, and what its labels say.
type value struct {
	of     []string
	number float64
}

// single returns the value of a metric without labels.
func single[N int | int64 | uint64 | float64](n N) []value { return []value{{number: float64(n)}} }

// each returns a value for each word, in the order of the words.
func each[N int | uint64](words map[string]N, before ...string) []value {
	var all []value
	for _, word := range slices.Sorted(maps.Keys(words)) {
		all = append(all, value{append(slices.Clip(before), word), float64(words[word])})
	}
	return all
}

// table is all that is served, in that order. docs/operations.md has it too.
var table = []metric{
	{name: "chatnode_build_info", kind: gauge, labels: []string{"version"}, help: "The program, always 1.",
		values: func(s *snapshot) []value { return []value{{[]string{s.version}, 1}} }},
	{name: "chatnode_healthy", kind: gauge, help: "Does the node take messages, as /healthz says? 1 or 0.", values: func(s *snapshot) []value {
		if s.healthy {
			return single(1)
		}
		return single(0)
	}},
	{name: "chatnode_sessions", kind: gauge, help: "Clients that are connected.", values: func(s *snapshot) []value { return single(s.hub.Sessions) }},
	{name: "chatnode_rooms", kind: gauge, help: "Rooms with a name.", values: func(s *snapshot) []value { return single(s.hub.Rooms) }},
	{name: "chatnode_conversations", kind: gauge, help: "Conversations of two.", values: func(s *snapshot) []value { return single(s.hub.Conversations) }},
	{name: "chatnode_people", kind: gauge, help: "Keys that the node knows.", values: func(s *snapshot) []value { return single(s.hub.People) }},
	{name: "chatnode_messages_total", kind: counter, help: "Messages, topics and acts that were kept.", values: func(s *snapshot) []value { return single(s.hub.Messages) }},
	{name: "chatnode_deliveries_total", kind: counter, help: "Of them, deliveries to clients: one for each client.", values: func(s *snapshot) []value { return single(s.hub.Deliveries) }},
	{name: "chatnode_delivered_bytes_total", kind: counter, help: "Bytes of deliveries, before encryption.", values: func(s *snapshot) []value { return single(s.hub.DeliveredBytes) }},
	{name: "chatnode_delivery_lag_seconds", kind: histogram, help: "Time from taking a message until it is handed to a client's connection, the commit included, to the millisecond.",
		times: func(s *snapshot) *hub.Histogram { return &s.hub.Lag }},
	{name: "chatnode_commit_seconds", kind: histogram, help: "Time that the store takes for a batch of messages.", times: func(s *snapshot) *hub.Histogram { return &s.hub.Commit }},
	{name: "chatnode_catch_up_reads_total", kind: counter, help: "Reads from the store for clients that are behind what is in memory.",
		values: func(s *snapshot) []value { return single(s.hub.Pages) }},
	{name: "chatnode_refusals_total", kind: counter, labels: []string{"code"}, help: "Messages that were refused or put off, by the code that the client was told.",
		values: func(s *snapshot) []value { return each(byName(s.hub.Refused)) }},
	{name: "chatnode_goodbyes_total", kind: counter, labels: []string{"code"}, help: "Sessions that the node has ended, by the code that the client was told.",
		values: func(s *snapshot) []value { return each(byName(s.hub.Goodbyes)) }},
	{name: "chatnode_connections_dropped_total", kind: counter, labels: []string{"stage", "reason"}, help: "Connections that were turned away, cut or lost, by how far they had come and why.",
		values: func(s *snapshot) []value {
			return slices.Concat(each(s.ended[Handshake], string(Handshake)), each(s.ended[Peer], string(Peer)), each(s.ended[Session], string(Session)))
		}},
	{name: "chatnode_notices_dropped_total", kind: counter, help: "Lines of the node itself that a client was too slow for.", values: func(s *snapshot) []value { return single(s.hub.DroppedNotices) }},
	{name: "chatnode_segments_bytes", kind: gauge, help: "Memory of the newest messages of all rooms.", values: func(s *snapshot) []value { return single(s.hub.SegmentBytes) }},
	{name: "chatnode_queue_bytes", kind: gauge, help: "What waits to be put in order.", values: func(s *snapshot) []value { return single(s.hub.QueueBytes) }},
	{name: "chatnode_peers", kind: gauge, labels: []string{"state"}, help: "Other nodes, by how it stands with them.", values: func(s *snapshot) []value { return each(s.states) }},
	{name: "chatnode_entries_sent_total", kind: counter, help: "Entries of logs that went to other nodes.", values: func(s *snapshot) []value { return single(s.mesh.Sent) }},
	{name: "chatnode_entries_taken_total", kind: counter, help: "Entries of logs from other nodes that were new.", values: func(s *snapshot) []value { return single(s.mesh.Taken) }},
	{name: "chatnode_entries_duplicate_total", kind: counter, help: "Entries of logs from other nodes that were not.", values: func(s *snapshot) []value { return single(s.mesh.Duplicates) }},

	{name: "go_goroutines", kind: gauge, help: "Goroutines.", values: func(s *snapshot) []value { return single(s.runtime.goroutines) }},
	{name: "go_memstats_heap_alloc_bytes", kind: gauge, help: "Objects on the heap.", values: func(s *snapshot) []value { return single(s.runtime.objects) }},
	{name: "go_memstats_sys_bytes", kind: gauge, help: "Memory that the runtime has from the system.", values: func(s *snapshot) []value { return single(s.runtime.system) }},
	{name: "go_gc_cycles_total", kind: counter, help: "Cycles of the garbage collector.", values: func(s *snapshot) []value { return single(s.runtime.collected) }},
	{name: "process_start_time_seconds", kind: gauge, help: "When the node started, in seconds since the Unix epoch.",
		values: func(s *snapshot) []value { return single(float64(s.started.UnixMilli()) / 1000) }},
	{name: "process_cpu_seconds_total", kind: counter, help: "Processor time of the process; on Linux.", values: ofProcess(func(p *processStats) float64 { return p.cpu.Seconds() })},
	{name: "process_resident_memory_bytes", kind: gauge, help: "Memory of the process; on Linux.", values: ofProcess(func(p *processStats) float64 { return float64(p.resident) })},
	{name: "process_open_fds", kind: gauge, help: "Open files and connections; on Linux.", values: ofProcess(func(p *processStats) float64 { return float64(p.files) })},
}

// ofProcess returns the values of what only some systems tell.
func ofProcess(number func(*processStats) float64) func(*snapshot) []value {
	return func(s *snapshot) []value {
		if !s.process.known {
			return nil
		}
		return single(number(&s.process))
	}
}

// write writes everything in Prometheus's text format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
func (s *snapshot) write(w io.Writer) error {
	var text strings.Builder
	for i := range table {
		m := &table[i]
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %s %s\n", m.name, m.help, m.name, m.kind)
		if m.kind == histogram {
			writeTimes(&text, m.name, m.times(s))
			continue
		}
		for _, v := range m.values(s) {
			fmt.Fprintf(&text, "%s%s %s\n", m.name, labels(m.labels, v.of), plain(v.number))
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// writeTimes writes a histogram, whose buckets count all below them too.
func writeTimes(text *strings.Builder, name string, h *hub.Histogram) {
	sum := uint64(0)
	for i, bound := range hub.Bounds {
		sum += h.Counts[i]
		fmt.Fprintf(text, "%s_bucket{le=\"%s\"} %d\n", name, plain(bound.Seconds()), sum)
	}
	sum += h.Counts[len(hub.Bounds)]
	fmt.Fprintf(text, "%s_bucket{le=\"+Inf\"} %d\n%s_sum %s\n%s_count %d\n", name, sum, name, plain(h.Sum.Seconds()), name, sum)
}

func plain(number float64) string { return strconv.FormatFloat(number, 'g', -1, 64) }

// escape makes text fit between the quotes of a label.
var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func labels(names, values []string) string {
	if len(names) == 0 {
		return ""
	}
	pairs := make([]string, len(names))
	for i, name := range names {
		pairs[i] = name + `="` + escape.Replace(strings.ToValidUTF8(values[i], "\ufffd")) + `"`
	}
	return "{" + strings.Join(pairs, ",") + "}"
}
