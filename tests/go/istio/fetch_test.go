// Package istio fetches images of plugins as Istio's agent does: with Istio's own package for it.
package istio

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"istio.io/istio/pkg/util/sets"
	"istio.io/istio/pkg/wasm"
)

// TestImagesHoldTheModule fetches each of the images $GRAYLANE_IMAGES into a cache of its own, and compares what comes
// out with the file $GRAYLANE_MODULE.
func TestImagesHoldTheModule(t *testing.T) {
	want, err := os.ReadFile(os.Getenv("GRAYLANE_MODULE"))
	if err != nil {
		t.Fatal(err)
	}
	images := strings.Fields(os.Getenv("GRAYLANE_IMAGES"))
	if len(images) == 0 {
		t.Fatal("$GRAYLANE_IMAGES names no image")
	}
	for _, image := range images {
		t.Run(image, func(t *testing.T) {
			options := wasm.Options{InsecureRegistries: sets.New("*"), HTTPRequestTimeout: 10 * time.Second}
			cache := wasm.NewLocalFileCache(t.TempDir(), options)
			defer cache.Cleanup()
			path, err := cache.Get("oci://"+image, wasm.GetOptions{RequestTimeout: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("it holds %d other bytes, not the module's %d", len(got), len(want))
			}
		})
	}
}
