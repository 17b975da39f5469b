// What a Prometheus without service discovery for Kubernetes (Debian's) is to scrape: all pods with a sidecar, as
// http_sd_configs takes it. It asks the API as the pod's service account may.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

type pods struct {
	Items []struct {
		Metadata struct {
			Name, Namespace string
			Labels          map[string]string
			Annotations     map[string]string
		}
		Status struct{ PodIP, Phase string }
	}
}

type group struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

func read(name string) string {
	content, err := os.ReadFile(account + name)
	if err != nil {
		log.Fatal(err)
	}
	return string(content)
}

func main() {
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM([]byte(read("ca.crt")))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}}
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		groups, err := scraped(client)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusBadGateway)
			return
		}
		answer.Header().Set("content-type", "application/json")
		_ = json.NewEncoder(answer).Encode(groups)
	})
	log.Fatal((&http.Server{Addr: "127.0.0.1:9091", ReadHeaderTimeout: time.Second}).ListenAndServe())
}

func scraped(client *http.Client) ([]group, error) {
	request, _ := http.NewRequest(http.MethodGet, "https://kubernetes.default.svc/api/v1/pods", nil)
	// The token is renewed as it ages.
	request.Header.Set("authorization", "Bearer "+strings.TrimSpace(read("token")))
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the API answers %s", response.Status)
	}
	var all pods
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		return nil, err
	}
	groups := []group{}
	for _, pod := range all.Items {
		if pod.Metadata.Annotations["prometheus.io/port"] != "15020" || pod.Status.PodIP == "" || pod.Status.Phase != "Running" {
			continue
		}
		groups = append(groups, group{[]string{pod.Status.PodIP + ":15020"}, map[string]string{
			"namespace": pod.Metadata.Namespace, "pod": pod.Metadata.Name, "app": pod.Metadata.Labels["app"],
		}})
	}
	return groups, nil
}
