// biggen writes a Go module whose binary is as large as that of a big real program: many packages
// with compiled functions (inlined calls, loops, several line entries each), many more functions in
// assembly, because those build in a tenth of the time, and embedded data for the rest of the size.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"os"
	"path/filepath"
)

const header = `package %s

import "fmt"

type Node struct {
	Left, Right *Node
	Key, Value  int
	Name        string
}

func clamp(v, lo, hi int) int {
	if v < lo {
		return lo
	}
	if v > hi {
		return hi
	}
	return v
}

func mix(a, b int) int { return clamp(a*31+b, 0, 1<<40) ^ b>>3 }

// All keeps every function of the package in the binary.
var All = []func(*Node, int) (int, error){
`

const function = `
func %[1]s(n *Node, depth int) (int, error) {
	if n == nil {
		return 0, fmt.Errorf("%[2]d: nothing at depth %%d", depth)
	}
	total := mix(n.Key, %[2]d)
	for i := 0; i < depth; i++ {
		switch total %% %[3]d {
		case 0:
			total = mix(total, i)
		case 1:
			total -= len(n.Name) * %[4]d
		default:
			total = clamp(total+n.Value, -%[2]d, %[2]d)
		}
	}
	if n.Left != nil && total > %[4]d {
		return %[5]s(n.Left, depth-1)
	}
	return total, nil
}
`

const mainHead = `package main

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"time"

`

const mainTail = `}

func call[N any](all []func(*N, int) (int, error), asm []func(), n *N) (sum int) {
	for _, f := range asm {
		f()
	}
	for _, f := range all {
		if v, err := f(n, 1); err == nil {
			sum += v
		}
	}
	return sum
}

//go:embed data.bin
var data string

func work(c chan int) { c <- 1 }

func main() {
	// Idle programs create goroutines too: a few, all the time.
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			c := make(chan int)
			go work(c)
			<-c
		}
	}()
	fmt.Printf("READY pid=%d\n", os.Getpid())
	if len(os.Args) > 1 {
		fmt.Println(len(data))
		for _, c := range calls {
			fmt.Println(c())
		}
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}
`

func name(i int) string {
	return fmt.Sprintf("%s%s%d", []string{"Parse", "Resolve", "Encode", "Visit", "Merge"}[i%5],
		[]string{"Service", "Endpoint", "VolumeClaim", "Token"}[i%4], i)
}

func writePackage(dir, pkg string, functions, perFile int) error {
	if err := os.MkdirAll(filepath.Join(dir, pkg), 0o755); err != nil {
		return err
	}
	var w *bufio.Writer
	for i := 0; i < functions; i++ {
		if i%perFile == 0 {
			if w != nil {
				if err := w.Flush(); err != nil {
					return err
				}
			}
			f, err := os.Create(filepath.Join(dir, pkg, fmt.Sprintf("file%d.go", i/perFile)))
			if err != nil {
				return err
			}
			defer f.Close()
			w = bufio.NewWriter(f)
			if i == 0 {
				fmt.Fprintf(w, header, pkg)
				for j := 0; j < functions; j++ {
					fmt.Fprintf(w, "\t%s,\n", name(j))
				}
				fmt.Fprint(w, "}\n")
			} else {
				fmt.Fprintf(w, "package %s\n\nimport \"fmt\"\n", pkg)
			}
		}
		fmt.Fprintf(w, function, name(i), i+7, i%11+3, i%13+1, name((i+1)%functions))
	}
	return w.Flush()
}

// writeAssembly adds functions that cost little to build: the compiler makes a wrapper for each, so
// each is two functions in the pclntab.
func writeAssembly(dir, pkg string, functions int) error {
	var code, decl bytes.Buffer
	fmt.Fprint(&code, "#include \"textflag.h\"\n")
	fmt.Fprintf(&decl, "package %s\n\n// Assembly keeps the functions below in the binary.\nvar Assembly = []func(){\n", pkg)
	for i := 0; i < functions; i++ {
		fmt.Fprintf(&decl, "\tasm%s,\n", name(i))
	}
	fmt.Fprint(&decl, "}\n")
	for i := 0; i < functions; i++ {
		fmt.Fprintf(&decl, "\nfunc asm%s()\n", name(i))
		fmt.Fprintf(&code, "\nTEXT ·asm%s(SB), 0, $64-0\n", name(i))
		for j := 0; j < 8; j++ {
			fmt.Fprintf(&code, "\tMOVQ $%d, AX\n\tADDQ AX, %d(SP)\n", i*j, j*8)
		}
		fmt.Fprint(&code, "\tRET\n")
	}
	if err := os.WriteFile(filepath.Join(dir, pkg, "asm.go"), decl.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, pkg, "asm_amd64.s"), code.Bytes(), 0o644)
}

// writeData is noise: what a compressed asset embedded in a program looks like.
func writeData(dir string, megabytes int) error {
	noise := make([]byte, megabytes<<20)
	rand.New(rand.NewSource(1)).Read(noise)
	return os.WriteFile(filepath.Join(dir, "data.bin"), noise, 0o644)
}

func writeMain(dir string, packages int) error {
	f, err := os.Create(filepath.Join(dir, "main.go"))
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	_, _ = w.WriteString(mainHead)
	for p := 0; p < packages; p++ {
		fmt.Fprintf(w, "\t\"example.com/big/pkg%03d\"\n", p)
	}
	fmt.Fprint(w, ")\n\n// calls reaches every function of every package.\nvar calls = []func() int{\n")
	for p := 0; p < packages; p++ {
		fmt.Fprintf(w, "\tfunc() int { return call(pkg%03[1]d.All, pkg%03[1]d.Assembly, &pkg%03[1]d.Node{}) },\n", p)
	}
	_, _ = w.WriteString(mainTail)
	return w.Flush()
}

func main() {
	dir := flag.String("dir", "", "where to write")
	packages := flag.Int("packages", 60, "how many packages")
	functions := flag.Int("functions", 400, "compiled functions in each package")
	assembly := flag.Int("assembly", 1000, "functions in assembly in each package")
	megabytes := flag.Int("data", 24, "megabytes of embedded data")
	flag.Parse()
	for p := 0; p < *packages; p++ {
		pkg := fmt.Sprintf("pkg%03d", p)
		if err := writePackage(*dir, pkg, *functions, 250); err != nil {
			log.Fatal(err)
		}
		if err := writeAssembly(*dir, pkg, *assembly); err != nil {
			log.Fatal(err)
		}
	}
	if err := writeData(*dir, *megabytes); err != nil {
		log.Fatal(err)
	}
	if err := writeMain(*dir, *packages); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*dir, "go.mod"), []byte("module example.com/big\n\ngo 1.18\n"), 0o644); err != nil {
		log.Fatal(err)
	}
}
