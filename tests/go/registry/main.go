// An image registry in memory, on all addresses (go-containerregistry's own program listens on loopback only).
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	port := flag.Int("port", 5000, "where to listen")
	flag.Parse()
	server := &http.Server{
		Addr:              fmt.Sprintf(":%d", *port),
		Handler:           registry.New(),
		ReadHeaderTimeout: 5 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}
