"""Networks as torchvision names their parts, written by hand in torch."""

#: The networks that the quick run tries: one of each family.
QUICK = {
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "mobilenet_v2"),
    *("mobilenet_v3_small", "mnasnet0_5", "regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5"),
    *("squeezenet1_1", "swin_t", "vgg11_bn"),
}
