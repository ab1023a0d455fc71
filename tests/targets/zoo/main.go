// zoo is what gostray's verdicts are judged by: programs that leak, and healthy ones that look as if
// they did. One process runs one of them:
//
//	zoo list      writes what there is, a JSON object a line
//	zoo NAME      runs one until its input ends
//
// Each scenario is a function in a file of its own kind, registered by init. Where it leaks, the line
// of the `go` statement ends with a comment "// leaks: NAME".
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// A scenario, and what has to be said of it.
type scenario struct {
	// Name is what it is called by.
	Name string `json:"name"`
	// About says in a sentence what it is like.
	About string `json:"about"`
	// Leaks are the `go` statements that lose goroutines; none in a healthy program.
	Leaks []leak `json:"leaks"`
	// run starts everything and returns; the goroutines it started go on.
	run func()
}

// A leak of a scenario.
type leak struct {
	// Marker is the name in the comment at the `go` statement.
	Marker string `json:"marker"`
	// Pattern is the one that has to be recognised.
	Pattern string `json:"pattern"`
	// In is where the `go` statement is, if it is in a library: the beginning of that function's
	// name. The marker is at the line that calls into the library then.
	In string `json:"in,omitempty"`
	// WithinSeconds is by when it has to be likely, counted from when it begins or the agent is
	// started, whichever is later.
	WithinSeconds int `json:"within_seconds"`
	// StartsAfterSeconds is how long after the program is ready nothing is lost yet.
	StartsAfterSeconds int `json:"starts_after_seconds,omitempty"`
	// Stopped is a leak that does not grow any more: suspect is enough.
	Stopped bool `json:"stopped,omitempty"`
	// Also are the beginnings of functions of libraries whose `go` statements lose goroutines with
	// it. Whether that is said or not, it is neither due nor wrong.
	Also []string `json:"also,omitempty"`
}

var scenarios []scenario

// leaks registers a scenario that loses goroutines at one `go` statement, which is to be likely
// within a minute. The marker is its name.
func leaks(name, pattern, about string, run func()) {
	register(scenario{name, about, []leak{{Marker: name, Pattern: pattern, WithinSeconds: 60}}, run})
}

// special registers a scenario whose leaks have more to be said of them.
func special(name, about string, run func(), all ...leak) {
	register(scenario{name, about, all, run})
}

// leaksIn is leaks for a `go` statement in a library.
func leaksIn(in, name, pattern, about string, run func()) {
	register(scenario{name, about, []leak{{Marker: name, Pattern: pattern, In: in, WithinSeconds: 60}}, run})
}

// healthy registers a scenario that loses none.
func healthy(name, about string, run func()) {
	register(scenario{name, about, []leak{}, run})
}

func register(s scenario) { scenarios = append(scenarios, s) }

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: zoo list|NAME")
		os.Exit(2)
	}
	name := os.Args[1]
	if name == "list" {
		lines := json.NewEncoder(os.Stdout)
		for _, s := range scenarios {
			if err := lines.Encode(s); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		return
	}
	for _, s := range scenarios {
		if s.Name != name {
			continue
		}
		s.run()
		fmt.Printf("READY %s\n", name)
		// Whoever started the program holds the other end: when they die, so does it.
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	fmt.Fprintf(os.Stderr, "error: there is no scenario %q\n", name)
	os.Exit(2)
}
