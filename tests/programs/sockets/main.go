// SPDX-License-Identifier: BSD-2-Clause

// Command sockets talks over Unix sockets: an echo server with many clients, datagrams, and files that are passed to a
// child process and come back. It prints sums, so that its output is the same on every system.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func text(seed, size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i*seed + i>>8 + seed)
	}
	return data
}

const clients, rounds = 24, 20

// Each client sends pieces of growing sizes and reads each back.
func streams(kind string) {
	path := "sockets-" + kind
	server, err := net.Listen(kind, path)
	must(err)
	go func() {
		for {
			connection, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				io.Copy(connection, connection)
			}()
		}
	}()
	sums := make([][32]byte, clients)
	var all sync.WaitGroup
	for c := 0; c < clients; c++ {
		all.Add(1)
		go func(c int) {
			defer all.Done()
			connection, err := net.Dial(kind, path)
			must(err)
			sum := sha256.New()
			for r := 0; r < rounds; r++ {
				sent := text(c+r, 1+r*r*(c+40)) // up to 23 KB
				back := make([]byte, len(sent))
				done := make(chan error)
				go func() {
					_, err := io.ReadFull(connection, back)
					done <- err
				}()
				_, err = connection.Write(sent)
				must(err)
				must(<-done)
				sum.Write(back)
			}
			copy(sums[c][:], sum.Sum(nil))
			must(connection.Close())
		}(c)
	}
	all.Wait()
	must(server.Close())
	_, err = os.Stat(path)
	whole := sha256.Sum256(fmt.Append(nil, sums))
	fmt.Printf("%s: %d clients, %x, name gone: %v\n", kind, clients, whole[:8], os.IsNotExist(err))
}

func datagrams() {
	defer os.Remove("sockets-dgram")
	defer os.Remove("sockets-client")
	server, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "sockets-dgram", Net: "unixgram"})
	must(err)
	client, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "sockets-client", Net: "unixgram"})
	must(err)
	go func() {
		buffer := make([]byte, 3000)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, err = server.WriteTo(buffer[:n], from)
			must(err)
		}
	}()
	sum := sha256.New()
	buffer := make([]byte, 3000)
	for i := 1; i < 100; i++ {
		_, err = client.WriteTo(text(i, i*25), &net.UnixAddr{Name: "sockets-dgram", Net: "unixgram"})
		must(err)
		n, from, err := client.ReadFrom(buffer)
		must(err)
		sum.Write(buffer[:n])
		sum.Write([]byte(from.String()))
	}
	must(client.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, _, err = client.ReadFrom(buffer)
	timeout, ok := err.(net.Error)
	fmt.Printf("unixgram: %x, time is over: %v\n", sum.Sum(nil)[:8], ok && timeout.Timeout())
	client.Close()
	server.Close()
}

// A child gets a file over its socket, writes to it and passes it back with one that it has opened itself.
func child() {
	connection, err := net.FileConn(os.NewFile(3, "socket"))
	must(err)
	unix := connection.(*net.UnixConn)
	file := receive(unix, 1)[0]
	fmt.Fprint(file, "written by the child\n")
	own, err := os.CreateTemp("", "sockets")
	must(err)
	os.Remove(own.Name())
	fmt.Fprint(own, "made by the child\n")
	send(unix, file, own)
}

func send(to *net.UnixConn, files ...*os.File) {
	var fds []int
	for _, file := range files {
		fds = append(fds, int(file.Fd()))
	}
	_, _, err := to.WriteMsgUnix([]byte("files"), syscall.UnixRights(fds...), nil)
	must(err)
}

func receive(from *net.UnixConn, count int) (files []*os.File) {
	bytes, control := make([]byte, 10), make([]byte, 100)
	n, controls, _, _, err := from.ReadMsgUnix(bytes, control)
	must(err)
	messages, err := syscall.ParseSocketControlMessage(control[:controls])
	must(err)
	fds, err := syscall.ParseUnixRights(&messages[0])
	must(err)
	if string(bytes[:n]) != "files" || len(fds) != count {
		fmt.Println("error: got", string(bytes[:n]), "and", len(fds), "files")
		os.Exit(1)
	}
	for _, fd := range fds {
		files = append(files, os.NewFile(uintptr(fd), "passed"))
	}
	return files
}

func passing() {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(err)
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	self, err := os.Executable()
	must(err)
	command := exec.Command(self, "child")
	command.ExtraFiles = []*os.File{theirs}
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	must(command.Start())
	theirs.Close()
	connection, err := net.FileConn(os.NewFile(uintptr(pair[0]), "ours"))
	must(err)
	unix := connection.(*net.UnixConn)
	file, err := os.CreateTemp("", "sockets")
	must(err)
	os.Remove(file.Name())
	send(unix, file)
	for _, each := range receive(unix, 2) {
		_, err = each.Seek(0, 0)
		must(err)
		data, err := io.ReadAll(each)
		must(err)
		fmt.Print(string(data))
	}
	must(command.Wait())
	n, err := unix.Read(make([]byte, 1))
	fmt.Println("after the child:", n, err)
}

func main() {
	if len(os.Args) > 1 {
		child()
		return
	}
	directory, err := os.MkdirTemp("", "sockets")
	must(err)
	must(os.Chdir(directory))
	streams("unix")
	datagrams()
	passing()
	must(os.Remove(directory))
}
