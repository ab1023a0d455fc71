package main

import (
	"io"
	"net/http"
	"time"
)

// sendLoad asks for each page in turn, at most 32 requests at a time.
func sendLoad(base string, perSecond int) {
	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 32},
	}
	pages := []string{"/search?q=lamp", "/order", "/search?q=desk", "/report", "/health"}
	slots := make(chan struct{}, 32)
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	for i := 0; ; i++ {
		<-tick.C
		slots <- struct{}{}
		go func(url string) {
			defer func() { <-slots }()
			resp, err := client.Get(url)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}(base + pages[i%len(pages)])
	}
}
