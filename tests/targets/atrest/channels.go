package main

func init() {
	add("receive", func(e *entry) {
		c := make(chan int)
		e.on(channel(c))
		go func() {
			e.enter()
			<-c
		}()
	})
	add("send", func(e *entry) {
		c := make(chan string)
		e.on(channel(c))
		go func() {
			e.enter()
			c <- "never taken"
		}()
	})
	add("send, buffer full", func(e *entry) {
		c := make(chan int, 3)
		e.on(channel(c))
		go func() {
			e.enter()
			for i := 0; ; i++ {
				c <- i
			}
		}()
	})
	add("receive, buffer empty", func(e *entry) {
		c := make(chan [100]byte, 5)
		e.on(channel(c))
		go func() {
			e.enter()
			_, ok := <-c
			_ = ok
		}()
	})
	add("range over a channel", func(e *entry) {
		c := make(chan struct{}, 1)
		e.on(channel(c))
		go func() {
			e.enter()
			for range c {
			}
		}()
	})
	add("receive, nil", func(e *entry) {
		e.on(nilChannel)
		go func() {
			e.enter()
			var c chan int
			<-c
		}()
	})
	add("send, nil", func(e *entry) {
		e.on(nilChannel)
		go func() {
			e.enter()
			var c chan int
			c <- 1
		}()
	})
	add("select without cases", func(e *entry) {
		go func() {
			e.enter()
			select {}
		}()
	})
	add("select", func(e *entry) {
		receive, send := make(chan int, 2), make(chan string)
		var never chan int
		e.on(channel(receive), channel(send))
		go func() {
			e.enter()
			select {
			case <-receive:
			case send <- "never taken":
			case <-never:
			}
		}()
	})
	add("select of nil channels", func(e *entry) {
		e.on(nilChannel)
		go func() {
			e.enter()
			var a, b chan int
			select {
			case <-a:
			case b <- 1:
			}
		}()
	})
	add("select of twelve", func(e *entry) { selectOfTwelve(e) })
	// Several wait on one channel.
	queue := make(chan int, 7)
	for i := 0; i < 3; i++ {
		add("receive with others", func(e *entry) {
			e.on(channel(queue))
			go receiveInt(e, queue)
		})
	}
}

func receiveInt(e *entry, c chan int) {
	e.enter()
	<-c
}

func selectOfTwelve(e *entry) {
	var c [12]chan int
	for i := range c {
		c[i] = make(chan int, i)
		e.on(channel(c[i]))
	}
	go func() {
		e.enter()
		select {
		case <-c[0]:
		case <-c[1]:
		case <-c[2]:
		case <-c[3]:
		case <-c[4]:
		case <-c[5]:
		case <-c[6]:
		case <-c[7]:
		case <-c[8]:
		case <-c[9]:
		case <-c[10]:
		case <-c[11]:
		}
	}()
}
