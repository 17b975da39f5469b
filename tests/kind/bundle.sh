# shellcheck shell=bash
# Sourced: programs of a Debian root, with the libraries that they need, in the folder of an image.

# bundle ROOT FOLDER PROGRAM...
bundle() {
  local root=$1 folder=$2 program file
  shift 2
  mkdir -p "$folder"/usr/{bin,sbin,lib,lib64,share}
  for file in bin sbin lib lib64; do [ -L "$folder/$file" ] || ln -s usr/$file "$folder/$file"; done
  for program; do
    mkdir -p "$folder$(dirname "$program")"
    cp -a "$root$program" "$folder$program"
    [ ! -L "$root$program" ] || continue
    for file in $(chroot "$root" ldd "$program" 2>/dev/null | grep -o '/[^ ]*'); do
      [ ! -e "$folder$file" ] || continue
      mkdir -p "$folder$(dirname "$file")"
      cp -L "$root$file" "$folder$file"
    done
  done
}

# bundle_iptables ROOT FOLDER: iptables in both its variants (nft's by default), nft and conntrack.
bundle_iptables() {
  local root=$1 folder=$2 p suffix libraries
  bundle "$root" "$folder" /usr/sbin/xtables-nft-multi /usr/sbin/xtables-legacy-multi /usr/sbin/nft /usr/sbin/conntrack
  for p in iptables ip6tables; do
    for suffix in '' -save -restore; do
      ln -sf xtables-nft-multi "$folder/usr/sbin/$p$suffix"
      ln -sf xtables-nft-multi "$folder/usr/sbin/$p-nft$suffix"
      ln -sf xtables-legacy-multi "$folder/usr/sbin/$p-legacy$suffix"
    done
  done
  # Extensions need libraries, too: without libm there are no rules for services of two endpoints.
  mapfile -t libraries < <(cd "$root" && printf '/%s\n' usr/lib/*-linux-gnu/xtables/*.so)
  bundle "$root" "$folder" "${libraries[@]}"
  mkdir -p "$folder/run" "$folder/tmp"
  chmod 1777 "$folder/tmp"
}
