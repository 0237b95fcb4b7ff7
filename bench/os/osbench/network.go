// SPDX-License-Identifier: BSD-2-Clause
// Sockets.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

func echoConn(c net.Conn) {
	if tc, ok := c.(*net.TCPConn); ok {
		tc.SetNoDelay(true)
	}
	b := make([]byte, 1)
	for {
		if _, err := io.ReadFull(c, b); err != nil {
			c.Close()
			return
		}
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

func rtt(c net.Conn, n int) (time.Duration, error) {
	b := make([]byte, 1)
	one := func() error {
		if _, err := c.Write(b); err != nil {
			return err
		}
		_, err := io.ReadFull(c, b)
		return err
	}
	if err := one(); err != nil {
		return 0, err
	}
	t := time.Now()
	for i := 0; i < n; i++ {
		if err := one(); err != nil {
			return 0, err
		}
	}
	return time.Since(t), nil
}

func connRTT(network, addr string) func(n int) (time.Duration, error) {
	return func(n int) (time.Duration, error) {
		a := addr
		if network == "unix" {
			a = filepath.Join(workdir, "sock")
			os.Remove(a)
		}
		l, err := net.Listen(network, a)
		if err != nil {
			return 0, err
		}
		defer l.Close()
		go func() {
			c, err := l.Accept()
			if err == nil {
				echoConn(c)
			}
		}()
		c, err := net.Dial(network, l.Addr().String())
		if err != nil {
			return 0, err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Minute))
		return rtt(c, n)
	}
}

// The same one-byte echo, but client and server are two processes.
func bTCP2Proc(n int) (time.Duration, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	pid, err := spawn([]uintptr{0, 1, 2}, "child-tcpecho", l.Addr().String())
	if err != nil {
		return 0, err
	}
	l.(*net.TCPListener).SetDeadline(time.Now().Add(60 * time.Second))
	c, err := l.Accept()
	if err != nil {
		syscall.Kill(pid, syscall.SIGKILL)
		reap(pid)
		return 0, err
	}
	d, err := rtt(c, n)
	c.Close()
	if e := reap(pid); err == nil {
		err = e
	}
	return d, err
}

func childTCPEcho(addr string) {
	c, err := net.Dial("tcp4", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	echoConn(c)
	os.Exit(0)
}

func bTCPBW(n int) (time.Duration, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		b := make([]byte, blk)
		for i := 0; i < n; i++ {
			if _, err := c.Write(b); err != nil {
				break
			}
		}
		c.Close()
	}()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return 0, err
	}
	defer c.Close()
	b := make([]byte, blk)
	t := time.Now()
	tot := 0
	for tot < n*blk {
		k, err := c.Read(b)
		tot += k
		if err != nil {
			break
		}
	}
	d := time.Since(t)
	if tot != n*blk {
		return 0, fmt.Errorf("got %d bytes", tot)
	}
	return d, nil
}

func bTCPConnect(n int) (time.Duration, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	b := make([]byte, 1)
	t := time.Now()
	for i := 0; i < n; i++ {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			return 0, err
		}
		c.Read(b)
		c.Close()
	}
	return time.Since(t), nil
}
