// SPDX-License-Identifier: BSD-2-Clause

// Command database kills a process that writes a bbolt database, in mid-write, again and again, and looks each time whether all that
// had been committed is there and all of the file is consistent.
// usage: database ROUNDS
//
// The writer's transaction N puts a batch of keys that follow from N, deletes others, and raises the counter; once it is committed,
// N goes to its standard output. What the database must hold after N transactions follows from N alone, so the checker plays them
// in memory. It prints the same on every system: what it found, without numbers that chance decides.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand"
	"os"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
)

const file = "test.db" // in a directory of its own

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "database:", err)
		os.Exit(1)
	}
}

var (
	data    = []byte("data")
	counter = []byte("counter")
)

func number(n uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, n)
}

// What transaction n does: put is called with keys and values, nil values mean that the key goes.
func transaction(n uint64, put func(key, value []byte)) {
	random := rand.New(rand.NewSource(int64(n)))
	for i := 0; i < 40; i++ {
		key := []byte(fmt.Sprintf("key %05d", random.Intn(3000)))
		if random.Intn(4) == 0 {
			put(key, nil)
			continue
		}
		value := make([]byte, random.Intn(600))
		random.Read(value)
		put(key, value)
	}
}

func write(last uint64) {
	db, err := bolt.Open(file, 0o600, nil)
	check(err)
	var n uint64
	check(db.View(func(tx *bolt.Tx) error {
		if meta := tx.Bucket(counter); meta != nil {
			n = binary.BigEndian.Uint64(meta.Get(counter))
		}
		return nil
	}))
	for n < last {
		check(db.Update(func(tx *bolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists(data)
			check(err)
			meta, err := tx.CreateBucketIfNotExists(counter)
			check(err)
			n++
			transaction(n, func(key, value []byte) {
				if value == nil {
					check(bucket.Delete(key))
				} else {
					check(bucket.Put(key, value))
				}
			})
			return meta.Put(counter, number(n))
		}))
		fmt.Println(n) // unbuffered: whoever reads it knows that n is on disk
	}
}

func self() string {
	path, err := os.Executable()
	check(err)
	return path
}

func scan(each func(key, value []byte)) error {
	db, err := bolt.Open(file, 0o600, &bolt.Options{ReadOnly: true})
	check(err)
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(data).ForEach(func(key, value []byte) error {
			each(key, value)
			return nil
		})
	})
}

// The model of what is committed.
type model struct {
	n    uint64
	keys map[string][]byte
}

func (m *model) advance(to uint64) {
	for m.n < to {
		m.n++
		transaction(m.n, func(key, value []byte) {
			if value == nil {
				delete(m.keys, string(key))
			} else {
				m.keys[string(key)] = value
			}
		})
	}
}

// Opens what the killed writer left: at least `said` transactions must be there, and one more at most.
func inspect(m *model, said uint64) {
	db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: 10 * time.Second}) // the lock went with its process
	check(err)
	defer db.Close()
	check(db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			return fmt.Errorf("inconsistent: %w", err)
		}
		var n uint64
		if meta := tx.Bucket(counter); meta != nil {
			n = binary.BigEndian.Uint64(meta.Get(counter))
		}
		if n < said || n > said+1 {
			return fmt.Errorf("%d transactions were committed, %d are there", said, n)
		}
		m.advance(n)
		if n == 0 {
			return nil
		}
		seen := 0
		err := tx.Bucket(data).ForEach(func(key, value []byte) error {
			if wanted, there := m.keys[string(key)]; !there || !bytes.Equal(wanted, value) {
				return fmt.Errorf("%q is not what transaction %d left", key, n)
			}
			seen++
			return nil
		})
		if err == nil && seen != len(m.keys) {
			err = fmt.Errorf("%d keys of %d are there", seen, len(m.keys))
		}
		return err
	}))
}

// Starts a writer and kills it after some of its transactions, at a moment that chance chooses.
func round(random *rand.Rand, said uint64, last string) uint64 {
	from, to, err := os.Pipe()
	check(err)
	writer, err := os.StartProcess(self(), []string{"database", "write", last}, &os.ProcAttr{Files: []*os.File{os.Stdin, to, os.Stderr}})
	check(err)
	check(to.Close())
	lines := bufio.NewScanner(from)
	read := func() {
		n, err := strconv.ParseUint(lines.Text(), 10, 64)
		check(err)
		if n != said+1 {
			check(fmt.Errorf("transaction %d follows %d", n, said))
		}
		said = n
	}
	for left := random.Intn(6); left > 0 && lines.Scan(); left-- {
		read()
	}
	time.Sleep(time.Duration(random.Intn(3000)) * time.Microsecond)
	check(writer.Kill()) // also of one that is ready
	for lines.Scan() {   // what was said before the end
		read()
	}
	state, err := writer.Wait()
	check(err)
	if state.String() != "signal: killed" && !state.Success() {
		check(fmt.Errorf("the writer ended by itself: %v", state))
	}
	check(from.Close())
	return said
}

func main() {
	if os.Args[1] == "write" {
		last, err := strconv.ParseUint(os.Args[2], 10, 64)
		check(err)
		write(last)
		return
	}
	rounds, err := strconv.Atoi(os.Args[1])
	check(err)
	random := rand.New(rand.NewSource(time.Now().UnixNano()))
	directory, err := os.MkdirTemp("", "database")
	check(err)
	check(os.Chdir(directory))
	m := model{keys: map[string][]byte{}}
	last := strconv.Itoa(rounds * 20)
	for i := 0; i < rounds; i++ {
		inspect(&m, round(random, m.n, last))
	}
	fmt.Printf("%d writers were killed; the database was consistent and complete each time\n", rounds)
	writer, err := os.StartProcess(self(), []string{"database", "write", last}, &os.ProcAttr{Files: []*os.File{nil, nil, os.Stderr}})
	check(err)
	_, err = writer.Wait()
	check(err)
	inspect(&m, uint64(rounds*20))
	hash := fnv.New64a()
	check(scan(func(key, value []byte) {
		hash.Write(key)
		hash.Write(value)
	}))
	fmt.Printf("%d transactions leave %d keys, %016x\n", m.n, len(m.keys), hash.Sum64())
	check(os.RemoveAll(directory))
}
