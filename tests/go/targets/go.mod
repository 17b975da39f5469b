module graylane.dev/targets

go 1.26.0
