package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// inside tells a process that it is the one in the namespaces.
const inside = "CHAOS_INSIDE"

// again runs this program once more, as root of new namespaces: of the network, of mounts and of
// processes. When it ends, everything that it started and mounted ends with it.
func again(args []string, folder string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...) //nolint:noctx // ends with this process
	cmd.Env = append(os.Environ(), inside+"="+folder)
	cmd.Stderr = os.Stderr
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL, // of this thread, which main keeps
	}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
	runtime.LockOSThread()
	return cmd
}

// sh runs a command, and returns its output in the error.
func sh(line string) error {
	args := strings.Fields(line)
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput() //nolint:noctx // takes no time
	if err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// each runs commands in order until one fails.
func each(lines ...string) error {
	for _, line := range lines {
		if err := sh(line); err != nil {
			return err
		}
	}
	return nil
}

// The addresses: this process has a bridge, to which each host's link leads.
const (
	here   = "10.77.0.1"
	subnet = "/24"
)

func address(host int) string { return fmt.Sprintf("10.77.0.%d", 10+host) }

// settle makes the namespaces ready: a /proc and a /run of their own, and a bridge.
func settle() error {
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	for target, kind := range map[string]string{"/proc": "proc", "/run": "tmpfs"} {
		if err := syscall.Mount(kind, target, kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
	}
	return each(
		"ip link set lo up", "ip link add br0 type bridge",
		"ip addr add "+here+subnet+" dev br0", "ip link set br0 up",
	)
}

// connect makes a network namespace for a host, with a link to the bridge, and a chain of rules
// for what it receives.
func connect(name string, host int) error {
	in := "ip netns exec " + name + " "
	return each(
		"ip netns add "+name,
		"ip link add to-"+name+" type veth peer name eth0 netns "+name,
		"ip link set to-"+name+" master br0 up",
		in+"ip link set lo up",
		in+"ip addr add "+address(host)+subnet+" dev eth0",
		in+"ip link set eth0 up",
		in+"nft add table inet chaos",
		in+"nft add chain inet chaos in { type filter hook input priority 0 ; }",
	)
}

// deafen has a host drop what matches; hear drops nothing any more.
func deafen(name, match string) error {
	return sh("ip netns exec " + name + " nft add rule inet chaos in " + match + " drop")
}

func hear(name string) error {
	return sh("ip netns exec " + name + " nft flush chain inet chaos in")
}
